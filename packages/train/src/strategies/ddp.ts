// Distributed data parallel: every step's gradients are averaged over all nodes before the optimizer applies them.
// Source: Li et al., "PyTorch Distributed: experiences on accelerating data parallel training" (arXiv 2006.15704), §3.
// Unlike there, one compiled step yields all gradients together, so by default the all-reduce follows the backward pass and
// the simulated time is an upper bound. With `buckets` the time model supposes, as a what-if, that they come bucket by bucket.
// Buffers (batch statistics) stay each node's own; the evaluated global model averages them.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { type GradientStrategy, NO_STATE, type StrategyEntry, type StrategyNode } from "./strategy.ts";
import { reduced } from "./traffic.ts";
import { WAIT } from "./whenMissing.ts";

const options = z.strictObject({
  buckets: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .describe(
      "what-if of simulated time: send gradients in so many buckets while the backward pass runs; 0 for after it",
    ),
});

export interface DdpOptions {
  /**
   * A what-if of the time model: gradients are sent in so many buckets while the backward pass still runs, as PyTorch does.
   * 0, the default, sends them all after it, as this program can in earnest. Leave it at 0 to compare with real processes:
   * those cut gradients into buckets, too, but whose steps take the time that they take have all of them after the pass.
   */
  readonly buckets?: number;
  /** Default AdamW. */
  readonly optimizer?: Optimizer;
}

/** Part of a step's compute time that the forward pass takes: the backward pass has twice its FLOPs. */
const FORWARD = 1 / 3;

/**
 * g ← (1/N) Σᵢ gᵢ, then the optimizer's step (clipping by the global norm, where the optimizer has it, comes after the mean).
 *
 * With B buckets of equal size, from the end of the gradients to their start, the all-reduce of bucket b = 0 … B − 1 may begin
 * when (b + 1)/B of the backward pass, two thirds of the step's compute time, has passed; a node's all-reduces run one after
 * another. Only times differ, and rounding: a ring adds a chunk in an order that depends on where the chunk lies.
 *
 * Bytes a node sends with a ring: 2(N−1)/N · 4P each step, in buckets or not.
 * N nodes with batch B take the same steps as one node with batch N·B.
 * @throws ConfigError if an option is out of its range.
 */
export function ddp({ optimizer = adamW(), ...given }: DdpOptions = {}): GradientStrategy {
  const { buckets } = parseConfig(options, given, "strategy");
  return {
    kind: "gradient",
    name: "ddp",
    config: { kind: "ddp", ...(buckets === 0 ? {} : { buckets }) },
    optimizer,
    whenMissing: WAIT,
    validate() {},
    init: () => NO_STATE,
    exchangesFrom: buckets === 0 ? 1 : partComputed(0, buckets),
    exchange: (node) =>
      buckets === 0
        ? node.communicator.allReduced(node.gradients, { op: "mean", lent: true })
        : allReduceBuckets(node, buckets),
  };
}

/** Part of a step's compute time that has passed when a bucket's gradients are supposed to be there. */
const partComputed = (bucket: number, buckets: number): number =>
  bucket + 1 === buckets ? 1 : FORWARD + ((1 - FORWARD) * (bucket + 1)) / buckets;

/** Later layers come first in a backward pass, and lie behind the earlier ones, biases behind all matrices. */
async function allReduceBuckets(
  { communicator, gradients, computed }: StrategyNode,
  buckets: number,
): Promise<void> {
  const bound = (bucket: number): number => Math.floor((gradients.length * (buckets - bucket)) / buckets);
  const handles = [];
  for (let bucket = 0; bucket < buckets; bucket++) {
    await computed(partComputed(bucket, buckets));
    const part = gradients.subarray(bound(bucket + 1), bound(bucket));
    handles.push(communicator.start.allReduce(part, { op: "mean" }));
  }
  for (const handle of handles) await handle.wait();
}

export const ddpEntry: StrategyEntry = {
  name: "ddp",
  summary: "average the gradients of every step (PyTorch DDP)",
  options,
  traffic: ({ buckets }) => ({
    exchanges: [reduced({ every: 1, ...(buckets === 0 ? {} : { pieces: Number(buckets) }) })],
  }),
  create: (values, optimizer) => ddp({ ...values, optimizer }),
};
