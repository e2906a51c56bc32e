// SparseLoCo: DiLoCo's rounds, whose outer gradients are cut to their largest elements and quantised to two bits; what is
// cut off is kept and added to later rounds, which takes the place of outer momentum.
// Source: Sarfi et al., "Communication efficient LLM pre-training with SparseLoCo" (arXiv 2508.15706), algorithm 1.

import type { Codec } from "@atoll/comm";
import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { packBits, packedBytes, unpackBits } from "../compressors/bits.ts";
import { encodingOfError } from "../compressors/encoding.ts";
import { float32 } from "../compressors/float32.ts";
import { bitsOf, createTopK } from "../compressors/topK.ts";
import { twoBit } from "../compressors/twoBit.ts";
import { gatherBytes } from "../compressors/wire.ts";
import { decay, positive, steps } from "./optionSchemas.ts";
import { stepsUntil } from "./outerStep.ts";
import type { ParameterStrategy, StrategyEntry } from "./strategy.ts";
import { gathered } from "./traffic.ts";
import { GO_ON } from "./whenMissing.ts";

const options = z.strictObject({
  H: steps(30, "inner steps between two outer steps"),
  learningRate: positive(1, "outer learning rate α"),
  beta: decay(0.95, "decay of what was cut off"),
  density: z
    .number()
    .positive()
    .max(1)
    .default(1 / 64)
    .describe("part of each chunk that is sent"),
  chunkSize: z
    .int()
    .min(1)
    .max(2 ** 16)
    .default(4096)
    .describe("elements among which the largest are chosen"),
  quantise: z.boolean().default(true).describe("send values in two bits; otherwise as floats"),
});

export interface SparseLoCoOptions {
  /** Inner steps between two outer steps. Default 30. */
  readonly H?: number;
  /** Outer learning rate α. Default 1. */
  readonly learningRate?: number;
  /** Decay β of what was cut off. Default 0.95. */
  readonly beta?: number;
  /** Part of each chunk that is sent. Default 1/64. */
  readonly density?: number;
  /** Elements among which the largest are chosen. Default 4096. */
  readonly chunkSize?: number;
  /** Whether values are sent in two bits instead of 32. Default true. */
  readonly quantise?: boolean;
  /** The inner optimizer. Default AdamW. */
  readonly optimizer?: Optimizer;
}

/**
 * Every H steps e ← βe + (θ₀ − θᵢ); q ← the k largest of each chunk of e, quantised; e ← e − q; θ₀ ← θ₀ − α · (mean of q).
 * State: `anchor` (θ₀, the same on all ranks) and `residual` (e, each node's own).
 *
 * Bytes a node sends every H steps: (N−1) · (kept elements · (12 + 2)/8 + 8 for each chunk, whole words), where indices
 * within chunks of 4096 have 12 bits and a chunk's values two float scales. With density 1, β = 0 and no quantisation it
 * is DiLoCo with plain SGD as outer optimizer.
 * @throws ConfigError if an option is out of its range.
 */
export function sparseLoCo({ optimizer = adamW(), ...given }: SparseLoCoOptions = {}): ParameterStrategy {
  const resolved = parseConfig(options, given, "strategy");
  const { H, learningRate, beta } = resolved;
  return {
    kind: "parameter",
    name: "sparseloco",
    config: { kind: "sparseloco", ...resolved },
    optimizer,
    whenMissing: GO_ON,
    records: ["outerCosine", "compressionError"],
    validate() {},
    init: ({ parameters }) => ({
      tensors: { anchor: Float32Array.from(parameters), residual: new Float32Array(parameters.length) },
      values: {},
    }),
    localSteps: (step) => stepsUntil(step, H),
    async synchronise({ parameters, communicator, record }, { tensors }) {
      const anchor = tensors.anchor!;
      const residual = tensors.residual!;
      record?.outerGradient?.(anchor.map((value, i) => value - parameters[i]!));
      for (let i = 0; i < residual.length; i++)
        residual[i] = beta * residual[i]! + (anchor[i]! - parameters[i]!);
      const compressor = sparseQuantiser(residual.length, resolved);
      const message = compressor.encode(residual);
      compressor.add(message, -1, residual);
      record?.encoded?.(() => {
        const decoded = new Float32Array(residual.length);
        compressor.add(message, 1, decoded);
        return encodingOfError(residual, decoded);
      });
      const parts = await gatherBytes(communicator, message);
      for (const part of parts) compressor.add(part, -learningRate / parts.length, anchor);
      parameters.set(anchor);
    },
  };
}

interface Sparsity {
  readonly chunkSize: number;
  readonly density: number;
  readonly quantise: boolean;
}

/** Elements of a chunk that are sent. */
const keptOf = ({ density }: Sparsity, size: number): number => Math.max(1, Math.round(density * size));

const codecOf = (sparsity: Sparsity): Codec =>
  sparsity.quantise ? twoBit({ blockSize: keptOf(sparsity, sparsity.chunkSize) }) : float32;

const placeWidth = ({ chunkSize }: Sparsity): number => Math.ceil(Math.log2(chunkSize));

/** Bytes that `length` elements are encoded in. */
function messageBytes(length: number, sparsity: Sparsity): number {
  const { chunkSize } = sparsity;
  const rest = length % chunkSize;
  const whole = Math.floor(length / chunkSize) * keptOf(sparsity, chunkSize);
  const count = whole + (rest === 0 ? 0 : keptOf(sparsity, rest));
  return packedBytes(count, placeWidth(sparsity)) + codecOf(sparsity).bytes(count);
}

interface SparseQuantiser {
  /** The largest elements of each chunk: all places, then all values. */
  encode(x: Float32Array): Uint8Array;
  /** Adds `scale` times what was encoded to a vector. */
  add(message: Uint8Array, scale: number, to: Float32Array): void;
}

function sparseQuantiser(length: number, sparsity: Sparsity): SparseQuantiser {
  const { chunkSize } = sparsity;
  const codec = codecOf(sparsity);
  const width = placeWidth(sparsity);
  const ranges = Array.from({ length: Math.ceil(length / chunkSize) }, (_, chunk) => {
    const start = chunk * chunkSize;
    const end = Math.min(start + chunkSize, length);
    return { start, end, k: keptOf(sparsity, end - start) };
  });
  const count = ranges.reduce((total, { k }) => total + k, 0);
  const placeBytes = packedBytes(count, width);
  return {
    encode(x) {
      const select = createTopK(Math.min(chunkSize, length));
      const indices = new Uint32Array(count);
      const values = new Float32Array(count);
      let at = 0;
      for (const range of ranges) {
        select(bitsOf(x), range, indices, at);
        for (const end = at + range.k; at < end; at++) {
          values[at] = x[indices[at]!]!;
          indices[at]! -= range.start;
        }
      }
      const message = new Uint8Array(placeBytes + codec.bytes(count));
      packBits(indices, width, message);
      message.set(codec.encode(values), placeBytes);
      return message;
    },
    add(message, scale, to) {
      const places = new Uint32Array(count);
      const values = new Float32Array(count);
      unpackBits(message, width, places);
      codec.decode(message.subarray(placeBytes), values);
      let at = 0;
      for (const { start, k } of ranges)
        for (const end = at + k; at < end; at++) to[start + places[at]!]! += scale * values[at]!;
    },
  };
}

export const sparseLoCoEntry: StrategyEntry = {
  name: "sparseloco",
  summary: "DiLoCo with sparse two-bit outer gradients and error feedback (SparseLoCo)",
  options,
  traffic(values) {
    const { H, ...message } = z.object(options.shape).parse(values);
    return { exchanges: [gathered(H, ({ elements }) => messageBytes(elements, message))] };
  },
  create: (values, optimizer) => sparseLoCo({ ...values, optimizer }),
};
