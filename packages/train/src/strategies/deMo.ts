// DeMo: each node keeps its momentum to itself and shares only what changes fast: the largest coefficients of its cosine
// transform. Source: Peng, Quesnelle and Kingma, "DeMo: decoupled momentum optimization" (arXiv 2411.19870), algorithm 1.

import { ConfigError } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd } from "@atoll/tensor";
import { allocateBeside } from "@atoll/tensor/vectors";
import { z } from "zod";
import { encodingOfSelection } from "../compressors/encoding.ts";
import { coefficientNumbers, coefficientPlan } from "../compressors/largestCoefficients.ts";
import { sharedResult } from "../compressors/wire.ts";
import { decay, steps } from "./optionSchemas.ts";
import { requirePlainSgd } from "./plainSgd.ts";
import { preparation, scratchPerNode } from "./preparation.ts";
import type { GradientStrategy, StrategyEntry, StrategyNode } from "./strategy.ts";
import { gathered } from "./traffic.ts";
import { WAIT } from "./whenMissing.ts";

const options = z.strictObject({
  beta: decay(0.999, "decay of each node's momentum"),
  chunkSize: z
    .int()
    .min(1)
    .max(256)
    .default(64)
    .describe("longest side of a chunk: its square for matrices, its length for vectors"),
  topK: steps(32, "coefficients of a chunk that are sent"),
});

/** Parts in which worker threads transform back what was shared. */
const PARTS = 4;

export interface DeMoOptions {
  /** Decay of each node's momentum. Default 0.999. */
  readonly beta?: number;
  /** Longest side of a chunk. Default 64. */
  readonly chunkSize?: number;
  /** Coefficients of a chunk that are sent. Default 32. */
  readonly topK?: number;
  /** Steps along the sign. Default SGD, learning rate 1e-3. */
  readonly optimizer?: Optimizer;
}

/**
 * δ ← βδ + ηg, η the learning rate; of each chunk's DCT-II the k largest coefficients q are sent, and δ ← δ − DCT⁻¹(q);
 * the optimizer gets sign(DCT⁻¹(mean over the nodes of q)). A tensor is cut along its first axis and along all others
 * together, each by its largest divisor up to the chunk size. State: `spectrum`, the DCT-II of δ, each node's own: the
 * transform is linear, so δ is decayed, added to and taken from there, and never transformed back. Chunks whose sides are
 * at most 256, with odd factors up to 15, are transformed in float32.
 *
 * Bytes a node sends each step: 6(N−1) for each coefficient (4 the value, 2 its index in the chunk), in whole words: with
 * chunks of c elements 6k/c · P(N−1).
 * @throws ConfigError if an option is out of its range, k above a chunk's size, or if the optimizer is not plain SGD.
 */
export function deMo({
  optimizer = sgd({ learningRate: 1e-3 }),
  ...given
}: DeMoOptions = {}): GradientStrategy {
  const { beta, chunkSize, topK } = parseConfig(options, given, "strategy");
  if (topK > chunkSize ** 2)
    throw new ConfigError(
      `Option "strategy.topK": expected at most the ${chunkSize ** 2} coefficients that a chunk of ${chunkSize} × ${chunkSize} has, got ${topK}. Lower it, or raise strategy.chunkSize.`,
    );
  requirePlainSgd(optimizer, "demo");
  const scratch = scratchPerNode(({ parameters, layout }) => {
    const numbers = coefficientNumbers(layout, { chunkSize, topK });
    const { words, scratch, prepare, dct } = coefficientPlan(numbers);
    const vector = (length: number): Float32Array => allocateBeside(parameters, length);
    const work = (): Float32Array => {
      const made = vector(scratch);
      prepare(made);
      return made;
    };
    return {
      numbers,
      vectors: {
        message: vector(words),
        work: work(),
        thresholds: vector(dct.chunks.length),
      },
      signs: vector(layout.size),
      works: Array.from({ length: PARTS }, work),
    };
  });
  const { prepare, take } = preparation(async (node, { tensors }) => {
    const { gradients, local, step } = node;
    const { numbers, vectors } = scratch(node);
    await local.until(
      local.run({
        operation: "coefficientsEncode",
        vectors: { ...vectors, gradients, spectrum: tensors.spectrum! },
        numbers: { ...numbers, beta, rate: optimizer.learningRate(step) },
      }),
    );
    return vectors.message;
  });
  const shared = sharedResult<Promise<Float32Array>>();
  async function signsOf(parts: readonly Float32Array[], node: StrategyNode): Promise<Float32Array> {
    const { numbers, signs, works } = scratch(node);
    const messages = Object.fromEntries(parts.map((message, m) => [`${m}`, message]));
    await Promise.all(
      works.map((work, part) =>
        node.local.run({
          operation: "coefficientSigns",
          vectors: { ...messages, signs, work },
          numbers: { ...numbers, members: parts.length, part, parts: PARTS },
        }),
      ),
    );
    return signs;
  }
  return {
    kind: "gradient",
    name: "demo",
    config: { kind: "demo", beta, chunkSize, topK },
    optimizer,
    whenMissing: WAIT,
    records: ["compressionError"],
    validate() {},
    init: ({ parameters }) => ({ tensors: { spectrum: new Float32Array(parameters.length) }, values: {} }),
    prepare,
    async exchange(node, state) {
      const { communicator, local } = node;
      const message = await take(node, state);
      node.record?.encoded?.(() => {
        const { count } = coefficientPlan(scratch(node).numbers);
        return encodingOfSelection(state.tensors.spectrum!, message.subarray(0, count));
      });
      const parts = await communicator.allGather(message, { lent: true });
      return local.until(shared(parts, () => signsOf(parts, node)));
    },
  };
}

export const deMoEntry: StrategyEntry = {
  name: "demo",
  summary: "local momentum; share its largest cosine coefficients, step along the sign (DeMo)",
  options,
  optimizer: { kind: "sgd", learningRate: 1e-3 },
  traffic: ({ chunkSize, topK }) => ({
    assumes: "all parameters are in matrices whose sides are multiples of strategy.chunkSize",
    exchanges: [
      gathered(1, ({ elements, floatBytes }) => {
        const size = Number(chunkSize) ** 2;
        return Math.ceil(elements / size) * Math.min(Number(topK), size) * (floatBytes + 2);
      }),
    ],
  }),
  create: (values, optimizer) => deMo({ ...values, optimizer }),
};
