// QSGD: every step's gradients are quantised at random without bias, sent to all, and averaged.
// Source: Alistarh et al., "QSGD: communication-efficient SGD via gradient quantization and encoding" (arXiv 1610.02132),
// algorithm 1, with norms of buckets as in its §5 and codes of a fixed length.

import type { Codec } from "@atoll/comm";
import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { allocateBeside } from "@atoll/tensor/vectors";
import { z } from "zod";
import { encodingOf } from "../compressors/encoding.ts";
import { codesAreBytes, stochastic } from "../compressors/qsgd.ts";
import { fromWords, sharedResult, toWords } from "../compressors/wire.ts";
import { steps } from "./optionSchemas.ts";
import { preparation, scratchPerNode } from "./preparation.ts";
import { type GradientStrategy, NO_STATE, type StrategyEntry, type StrategyNode } from "./strategy.ts";
import { gathered } from "./traffic.ts";
import { WAIT } from "./whenMissing.ts";

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

/** Parts in which worker threads add up what was shared. */
const PARTS = 4;

/**
 * g ← (1/N) Σᵢ Q(gᵢ), where Q rounds each magnitude to one of s levels of its bucket's largest, up or down at random so
 * that E[Q(g)] = g; with 128 levels or less in float32, above in float64.
 *
 * Bytes a node sends each step: (N−1) · (P(log₂ s + 1)/8 + 4 for each bucket), rounded up to whole words.
 * @throws ConfigError if an option is out of its range.
 */
export function qsgd({ optimizer = adamW(), ...given }: QsgdOptions = {}): GradientStrategy {
  const { levels, bucketSize: blockSize } = parseConfig(options, given, "strategy");
  const shared = sharedResult<Promise<Float32Array>>();
  const inBytes = codesAreBytes(levels, blockSize);
  const wordsFor = (length: number): number => Math.ceil((length + 4 * Math.ceil(length / blockSize)) / 4);
  const message = scratchPerNode(({ parameters }) => allocateBeside(parameters, wordsFor(parameters.length)));
  const means = scratchPerNode(({ parameters, communicator }) => ({
    mean: allocateBeside(parameters, parameters.length),
    scratch: allocateBeside(parameters, PARTS * 2 * communicator.worldSize),
  }));
  const { prepare, take } = preparation(async (node) => {
    const { gradients, communicator, sharedRandom, step, local } = node;
    const random = sharedRandom.derive("rounding", communicator.rank, step);
    if (!inBytes) {
      await local.gradients();
      return toWords(stochastic({ levels, blockSize, random }).encode(gradients));
    }
    const vectors = { gradients, message: message(node) };
    const numbers = { blockSize, key0: random.key[0], key1: random.key[1] };
    await local.until(local.run({ operation: "qsgdEncode", vectors, numbers }));
    return vectors.message;
  });
  /** The mean of byte codes: a part of it on each worker that is free. */
  async function meanInParts(parts: readonly Float32Array[], node: StrategyNode): Promise<Float32Array> {
    const { mean, scratch } = means(node);
    const { length } = mean;
    const count = parts.length;
    const size = blockSize * Math.ceil(length / blockSize / PARTS);
    const messages = Object.fromEntries(parts.map((part, m) => [`${m}`, part]));
    await Promise.all(
      Array.from({ length: Math.ceil(length / size) }, (_, i) => {
        const first = i * size;
        const room = scratch.subarray(2 * count * i, 2 * count * (i + 1));
        return node.local.run({
          operation: "qsgdMean",
          vectors: { ...messages, mean: mean.subarray(first, first + size), scratch: room },
          numbers: { count, length, first, blockSize },
        });
      }),
    );
    return mean;
  }
  return {
    kind: "gradient",
    name: "qsgd",
    config: { kind: "qsgd", levels, bucketSize: blockSize },
    optimizer,
    whenMissing: WAIT,
    records: ["compressionError"],
    validate() {},
    init: () => NO_STATE,
    prepare,
    async exchange(node, state) {
      const { communicator, gradients, local, sharedRandom: random } = node;
      const message = await take(node, state);
      node.record?.encoded?.(() => {
        const decoded = meanOf([message], stochastic({ levels, blockSize, random }), gradients.length);
        return encodingOf(gradients, decoded);
      });
      const parts = await communicator.allGather(message, { lent: true });
      const mean = shared(parts, async () =>
        inBytes
          ? meanInParts(parts, node)
          : meanOf(parts, stochastic({ levels, blockSize, random }), gradients.length),
      );
      return local.until(mean);
    },
  };
}

/** The mean of encoded vectors, in the order of their ranks. */
function meanOf(parts: readonly Float32Array[], codec: Codec, length: number): Float32Array {
  const mean = new Float32Array(length);
  const decoded = new Float32Array(length);
  for (const part of parts) {
    codec.decode(fromWords(part, codec.bytes(length)), decoded);
    for (let i = 0; i < length; i++) mean[i]! += decoded[i]! / parts.length;
  }
  return mean;
}

export const qsgdEntry: StrategyEntry = {
  name: "qsgd",
  summary: "average gradients that are quantised at random without bias (QSGD)",
  options,
  traffic: ({ levels, bucketSize }) => ({
    exchanges: [
      gathered(
        1,
        ({ elements }) =>
          Math.ceil((elements * (Math.log2(Number(levels)) + 1)) / 8) +
          4 * Math.ceil(elements / Number(bucketSize)),
      ),
    ],
  }),
  create: (values, optimizer) => qsgd({ ...values, optimizer }),
};
