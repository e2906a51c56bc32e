// SparseLoCo: DiLoCo's rounds, whose outer gradients are cut to their largest elements and quantised to two bits; what is
// cut off is kept and added to later rounds, which takes the place of outer momentum.
// Source: Sarfi et al., "Communication efficient LLM pre-training with SparseLoCo" (arXiv 2508.15706), algorithm 1.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer, type VectorLayout } from "@atoll/tensor";
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
  const entriesFor = entriesPool();
  async function decoded(
    messages: readonly Float32Array[],
    { parameters: { length }, layout, local }: StrategyNode,
  ): Promise<Float32Array> {
    const count = messages.length;
    const entries = entriesFor(layout, messages, (members) => entriesLength(length, resolved, members));
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

/** Where what messages say is written: of a layout, by the messages, and by the elements that so many members need. */
type EntriesFor = (
  layout: VectorLayout,
  messages: readonly Float32Array[],
  lengthFor: (members: number) => number,
) => Float32Array;

/** Who brings its next message, which lies in the same place, has done with the entries of its last: these are used again. */
function entriesPool(): EntriesFor {
  // The nodes of one run have one layout, and a strategy may serve several runs.
  const spare = new WeakMap<VectorLayout, Set<Float32Array>>();
  /** By the first member's message. */
  const used = new WeakMap<Float32Array, Float32Array>();
  return (layout, messages, lengthFor) => {
    const free = spare.get(layout) ?? new Set();
    spare.set(layout, free);
    for (const message of messages) {
      const last = used.get(message);
      if (last !== undefined) free.add(last);
      used.delete(message);
    }
    const length = lengthFor(messages.length);
    const present = [...free].find((vector) => vector.length >= length);
    // Where nodes come one after the other, there is room for as many again.
    const room =
      present ?? allocateBeside(messages[0]!, lengthFor(2 ** Math.ceil(Math.log2(messages.length))));
    free.delete(room);
    used.set(messages[0]!, room);
    return room.subarray(0, length);
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
