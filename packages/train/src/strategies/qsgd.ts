// QSGD: every step's gradients are quantised at random without bias, sent to all, and averaged.
// Source: Alistarh et al., "QSGD: communication-efficient SGD via gradient quantization and encoding" (arXiv 1610.02132),
// algorithm 1, with norms of buckets as in its §5 and codes of a fixed length.

import type { Codec } from "@atoll/comm";
import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { stochastic } from "../compressors/qsgd.ts";
import { gatherBytes, sharedResult } from "../compressors/wire.ts";
import { steps } from "./optionSchemas.ts";
import type { GradientStrategy, StrategyEntry } from "./strategy.ts";
import { NO_STATE } from "./strategy.ts";

const options = z.strictObject({
  levels: z
    .int()
    .min(2)
    .max(2 ** 20)
    .refine((levels) => Number.isInteger(Math.log2(levels)), "expected a power of two")
    .default(128)
    .describe("magnitudes that there are, a power of two"),
  bucketSize: steps(512, "elements that share a norm"),
});

export interface QsgdOptions {
  /** Magnitudes s that there are, zero among them; a power of two. Default 128, which makes a byte an element. */
  readonly levels?: number;
  /** Elements that share a norm. Default 512. */
  readonly bucketSize?: number;
  /** Default AdamW. */
  readonly optimizer?: Optimizer;
}

/**
 * g ← (1/N) Σᵢ Q(gᵢ), where Q rounds each magnitude to one of s levels of its bucket's largest, up or down at random so
 * that E[Q(g)] = g.
 *
 * Bytes a node sends each step: (N−1) · (P(log₂ s + 1)/8 + 4 for each bucket), rounded up to whole words.
 * @throws ConfigError if an option is out of its range.
 */
export function qsgd({ optimizer = adamW(), ...given }: QsgdOptions = {}): GradientStrategy {
  const { levels, bucketSize: blockSize } = parseConfig(options, given, "strategy");
  const shared = sharedResult();
  return {
    kind: "gradient",
    name: "qsgd",
    config: { kind: "qsgd", levels, bucketSize: blockSize },
    optimizer,
    validate() {},
    init: () => NO_STATE,
    async exchange({ communicator, gradients, sharedRandom, step }) {
      const random = sharedRandom.derive("rounding", communicator.rank, step);
      const codec = stochastic({ levels, blockSize, random });
      const parts = await gatherBytes(communicator, codec.encode(gradients));
      gradients.set(shared(parts, () => meanOf(parts, codec, gradients.length)));
    },
  };
}

/** The mean of encoded vectors, in the order of their ranks. */
function meanOf(parts: readonly Uint8Array[], codec: Codec, length: number): Float32Array {
  const mean = new Float32Array(length);
  const decoded = new Float32Array(length);
  for (const part of parts) {
    codec.decode(part, decoded);
    for (let i = 0; i < length; i++) mean[i]! += decoded[i]! / parts.length;
  }
  return mean;
}

export const qsgdEntry: StrategyEntry = {
  name: "qsgd",
  summary: "average gradients that are quantised at random without bias (QSGD)",
  options,
  create: (values, optimizer) => qsgd({ ...values, optimizer }),
};
