// DeMo: each node keeps its momentum to itself and shares only what changes fast: the largest coefficients of its cosine
// transform. Source: Peng, Quesnelle and Kingma, "DeMo: decoupled momentum optimization" (arXiv 2411.19870), algorithm 1.

import { ConfigError } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd, type VectorLayout } from "@atoll/tensor";
import { z } from "zod";
import { type ChunkedDct, chunkedDct } from "../compressors/chunkedDct.ts";
import { bitsOf, createTopK } from "../compressors/topK.ts";
import { gatherBytes, sharedResult } from "../compressors/wire.ts";
import { WAIT } from "../faults/policy.ts";
import { decay, steps } from "./optionSchemas.ts";
import { requirePlainSgd } from "./plainSgd.ts";
import type { GradientStrategy, StrategyEntry } from "./strategy.ts";

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

const INDEX_BYTES = 2;
const VALUE_BYTES = 4;

/**
 * δ ← βδ + ηg, η the learning rate; of each chunk's DCT-II the k largest coefficients q are sent, and δ ← δ − DCT⁻¹(q);
 * the optimizer gets sign(DCT⁻¹(mean over the nodes of q)). A tensor is cut along its first axis and along all others
 * together, each by its largest divisor up to the chunk size. State: `momentum` (δ), each node's own.
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
  // All nodes of a run have one layout, and a plan for it has tables and scratch that they can share.
  const plans = new WeakMap<VectorLayout, Plan>();
  const planFor = (layout: VectorLayout): Plan => {
    const plan = plans.get(layout) ?? planOf(chunkedDct(layout, chunkSize), topK);
    plans.set(layout, plan);
    return plan;
  };
  const shared = sharedResult();
  return {
    kind: "gradient",
    name: "demo",
    config: { kind: "demo", beta, chunkSize, topK },
    optimizer,
    whenMissing: WAIT,
    validate() {},
    init: ({ parameters }) => ({ tensors: { momentum: new Float32Array(parameters.length) }, values: {} }),
    async exchange({ communicator, gradients, layout, step }, { tensors }) {
      const { dct, encode, addDecoded } = planFor(layout);
      const momentum = tensors.momentum!;
      const rate = optimizer.learningRate(step);
      for (let i = 0; i < momentum.length; i++) momentum[i] = beta * momentum[i]! + rate * gradients[i]!;
      const coefficients = new Float32Array(momentum.length);
      dct.forward(momentum, coefficients);
      const message = encode(coefficients);
      coefficients.fill(0);
      addDecoded(message, coefficients);
      dct.inverse(coefficients, gradients);
      for (let i = 0; i < momentum.length; i++) momentum[i]! -= gradients[i]!;
      const parts = await gatherBytes(communicator, message);
      const signs = shared(parts, () => {
        const sum = new Float32Array(gradients.length); // the sign of the mean is that of the sum
        for (const part of parts) addDecoded(part, sum);
        const update = new Float32Array(gradients.length);
        dct.inverse(sum, update);
        return update.map(Math.sign);
      });
      gradients.set(signs);
    },
  };
}

interface Plan {
  readonly dct: ChunkedDct;
  /** The largest coefficients of each chunk: their values, then their places within their chunks. */
  encode(coefficients: Float32Array): Uint8Array;
  /** Adds them to a vector of coefficients. */
  addDecoded(message: Uint8Array, coefficients: Float32Array): void;
}

function planOf(dct: ChunkedDct, topK: number): Plan {
  const { chunks } = dct;
  const longest = chunks.reduce((most, { start, end }) => Math.max(most, end - start), 0);
  const select = createTopK(longest);
  const ranges = chunks.map(({ start, end }) => ({ start, end, k: Math.min(topK, end - start) }));
  const count = ranges.reduce((total, { k }) => total + k, 0);
  const indices = new Uint32Array(count);
  return {
    dct,
    encode(coefficients) {
      const bits = bitsOf(coefficients);
      const message = new Uint8Array(count * (VALUE_BYTES + INDEX_BYTES));
      const values = new Float32Array(message.buffer, 0, count);
      const places = new Uint16Array(message.buffer, count * VALUE_BYTES, count);
      let at = 0;
      for (const range of ranges) {
        select(bits, range, indices, at);
        for (const end = at + range.k; at < end; at++) {
          values[at] = coefficients[indices[at]!]!;
          places[at] = indices[at]! - range.start;
        }
      }
      return message;
    },
    addDecoded(message, coefficients) {
      const values = new Float32Array(message.buffer, message.byteOffset, count);
      const places = new Uint16Array(message.buffer, message.byteOffset + count * VALUE_BYTES, count);
      let at = 0;
      for (const { start, k } of ranges)
        for (const end = at + k; at < end; at++) coefficients[start + places[at]!]! += values[at]!;
    },
  };
}

export const deMoEntry: StrategyEntry = {
  name: "demo",
  summary: "local momentum; share its largest cosine coefficients, step along the sign (DeMo)",
  options,
  optimizer: { kind: "sgd", learningRate: 1e-3 },
  create: (values, optimizer) => deMo({ ...values, optimizer }),
};
