// Averaging of a few elements of the parameters at a time: what SPARTA does every few steps, alone or within DiLoCo.

import { z } from "zod";
import { type IndexSelector, indexSelector, type SelectorKind, selectorKinds } from "./indexSelectors.ts";
import { fraction, steps } from "./optionSchemas.ts";
import type { StrategyNode, StrategyState } from "./strategy.ts";
import { type Exchange, reduced } from "./traffic.ts";

export interface SparseAveragingOptions {
  /** Part of the parameters that a round averages. Default 0.005. */
  readonly p?: number;
  /** How a round's parameters are chosen. Default "random". */
  readonly selector?: SelectorKind;
  /** Steps between two rounds. Default 1. */
  readonly interval?: number;
  /** Rounds after which an average is written back. Default 0: at once. */
  readonly delay?: number;
}

/** The same, for configs. */
export const sparseAveragingOptions: {
  readonly p: z.ZodDefault<z.ZodNumber>;
  readonly selector: z.ZodDefault<z.ZodEnum<{ [K in SelectorKind]: K }>>;
  readonly interval: z.ZodDefault<z.ZodInt>;
  readonly delay: z.ZodDefault<z.ZodInt>;
} = {
  p: fraction(0.005, "part of the parameters that is averaged at a time"),
  selector: z
    .enum(selectorKinds)
    .default("random")
    .describe("how they are chosen: drawn each time, in one shuffled order, or dealt without repetition"),
  interval: steps(1, "steps between two averages"),
  delay: z.int().min(0).default(0).describe("averages later that one is written back"),
};

export interface SparseAveraging {
  /** Averages that are not written back yet. */
  state(length: number): StrategyState["tensors"];
  /** Averages a round's elements; for `node.step` a multiple of the interval. */
  average(node: StrategyNode, tensors: StrategyState["tensors"]): Promise<void>;
}

/** One all-reduce of ⌊pP⌋ floats a round. */
export function sparseAveraging({
  p,
  selector,
  interval,
  delay,
}: Required<SparseAveragingOptions>): SparseAveraging {
  const select = indexSelector(selector);
  return {
    state: (length) => (delay === 0 ? {} : { averages: new Float32Array(delay * Math.floor(p * length)) }),
    async average(node, tensors) {
      const { parameters, communicator } = node;
      const count = Math.floor(p * parameters.length);
      if (count === 0) return;
      const round = node.step / interval;
      const indices = chosen(node, { select, round, count });
      const values = new Float32Array(count);
      for (let i = 0; i < count; i++) values[i] = parameters[indices[i]!]!;
      await communicator.allReduce(values, { op: "mean" });
      if (delay === 0) return scatter(values, indices, parameters);
      const place = (round % delay) * count;
      const waiting = tensors.averages!.subarray(place, place + count);
      if (round > delay) scatter(waiting, chosen(node, { select, round: round - delay, count }), parameters);
      waiting.set(values);
    },
  };
}

const chosen = (
  { sharedRandom, parameters }: StrategyNode,
  {
    select,
    round,
    count,
  }: { readonly select: IndexSelector; readonly round: number; readonly count: number },
): Uint32Array => select({ random: sharedRandom, round, length: parameters.length, count });

function scatter(values: Float32Array, indices: Uint32Array, into: Float32Array): void {
  for (let i = 0; i < indices.length; i++) into[indices[i]!] = values[i]!;
}

/** What it sends with these options. It waits for an average at once, whenever that is written back. */
export function sparseTraffic(options: Readonly<Record<string, unknown>>): Exchange {
  const { p, interval } = z.object(sparseAveragingOptions).parse(options);
  return reduced({
    every: interval,
    bytes: ({ elements, floatBytes }) => floatBytes * Math.floor(p * elements),
  });
}
