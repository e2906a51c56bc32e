// SparseLoCo: DiLoCo's rounds, whose outer gradients are cut to their largest elements and quantised to two bits; what is
// cut off is kept and added to later rounds, which takes the place of outer momentum.
// Source: Sarfi et al., "Communication efficient LLM pre-training with SparseLoCo" (arXiv 2508.15706), algorithm 1.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { allocateBeside } from "@atoll/tensor/vectors";
import { z } from "zod";
import { encodingOfError } from "../compressors/encoding.ts";
import {
  addEntries,
  entriesLength,
  messageBytes,
  roomOf,
  sparseDecode,
  sparsityNumbers,
} from "../compressors/sparseChunks.ts";
import { sharedResult } from "../compressors/wire.ts";
import { decay, positive, steps } from "./optionSchemas.ts";
import { stepsUntil } from "./outerStep.ts";
import { scratchPerNode } from "./preparation.ts";
import type { ParameterStrategy, StrategyEntry, StrategyNode } from "./strategy.ts";
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
  const sparsity = sparsityNumbers(resolved);
  const scratch = scratchPerNode(({ parameters }) => {
    const room = Object.entries(roomOf(parameters.length, resolved));
    const vectors = room.map(([name, length]) => [name, allocateBeside(parameters, length)]);
    return Object.fromEntries(vectors) as Record<keyof ReturnType<typeof roomOf>, Float32Array>;
  });
  const shared = sharedResult<Promise<Float32Array>>();
  /** By the first member's message, which lies in one place: nodes have done with the entries when they send their next. */
  const kept = new WeakMap<Float32Array, Float32Array>();
  async function decoded(
    messages: readonly Float32Array[],
    { parameters: { length }, local }: StrategyNode,
  ): Promise<Float32Array> {
    const [first] = messages as [Float32Array];
    const count = messages.length;
    const room = entriesLength(length, resolved, count);
    const present = kept.get(first);
    const place = present !== undefined && present.length >= room ? present : allocateBeside(first, room);
    kept.set(first, place);
    const entries = place.subarray(0, room);
    const vectors = { ...Object.fromEntries(messages.map((message, m) => [`${m}`, message])), entries };
    await local.run({ operation: "sparseDecode", vectors, numbers: { ...sparsity, count, length } });
    return entries;
  }
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
    async synchronise(node, { tensors }) {
      const { parameters, communicator, local, record } = node;
      const anchor = tensors.anchor!;
      const residual = tensors.residual!;
      const { message, ...room } = scratch(node);
      record?.outerGradient?.(anchor.map((value, i) => value - parameters[i]!));
      await local.until(
        local.run({
          operation: "sparseEncode",
          vectors: { residual, anchor, parameters, message, ...room },
          numbers: { ...sparsity, beta },
        }),
      );
      record?.encoded?.(() => encodingOfError(residual, received(message, residual.length)));
      const parts = await communicator.allGather(message, { lent: true });
      const entries = await local.until(shared(parts, () => decoded(parts, node)));
      const count = parts.length;
      const numbers = { count, scale: -learningRate / count };
      void local.later({ operation: "sparseStep", vectors: { anchor, parameters, entries }, numbers });
    },
  };

  /** What others make of a node's message. */
  function received(message: Float32Array, length: number): Float32Array {
    const entries = new Float32Array(entriesLength(length, resolved, 1));
    sparseDecode({ "0": message, entries }, { ...sparsity, count: 1, length });
    const sum = new Float32Array(length);
    addEntries(sum, entries, { count: 1, scale: 1 });
    return sum;
  }
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
