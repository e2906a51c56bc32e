// Distributed data parallel whose all-reduce carries bytes instead of floats: EXO Gym's example of a strategy of one's own.
// Source of the collective (quantised shards, summed in float32, quantised again): Dettmers, "8-bit approximations for
// parallelism in deep learning" (arXiv 1511.04561).

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { reducingIntegers } from "../compressors/shardedSums.ts";
import { integers } from "../compressors/transcoded.ts";
import { steps } from "./optionSchemas.ts";
import { scratchPerNode } from "./preparation.ts";
import { type GradientStrategy, NO_STATE, type StrategyEntry } from "./strategy.ts";
import { codedReduced } from "./traffic.ts";
import { WAIT } from "./whenMissing.ts";

const options = z.strictObject({ blockSize: steps(256, "elements that share a scale") });

export interface Int8AllReduceOptions {
  /** Elements that share a scale. Default 256. */
  readonly blockSize?: number;
  /** Default AdamW. */
  readonly optimizer?: Optimizer;
}

/**
 * g ← (1/N) Σᵢ gᵢ, each gᵢ and their sum rounded to 8-bit integers times the block's largest magnitude / 127.
 *
 * Bytes a node sends each step, about: 2(N−1)/N · P(1 + 4/blockSize), a quarter of DDP's.
 * @throws ConfigError if the block size is below 1.
 */
export function int8AllReduce({
  optimizer = adamW(),
  ...given
}: Int8AllReduceOptions = {}): GradientStrategy {
  const { blockSize } = parseConfig(options, given, "strategy");
  const codec = integers(blockSize);
  const reducing = scratchPerNode(({ local }) => reducingIntegers(codec, blockSize, local.run));
  return {
    kind: "gradient",
    name: "int8allreduce",
    config: { kind: "int8allreduce", blockSize },
    optimizer,
    whenMissing: WAIT,
    records: ["compressionError"],
    validate() {},
    init: () => NO_STATE,
    exchange: (node) =>
      node.communicator.allReduced(node.gradients, { op: "mean", codec: reducing(node), lent: true }),
  };
}

export const int8AllReduceEntry: StrategyEntry = {
  name: "int8allreduce",
  summary: "average the gradients of every step in 8-bit integers",
  options,
  traffic: ({ blockSize }) => ({
    exchanges: [codedReduced(integers(Number(blockSize)), { every: 1 })],
  }),
  create: (values, optimizer) => int8AllReduce({ ...values, optimizer }),
};
