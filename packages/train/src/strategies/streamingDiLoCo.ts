// Streaming DiLoCo: the model's fragments take their outer steps one after the other, each all-reduce in four bits and
// behind some more inner steps, so that a node never sends much at once nor waits for it.
// Source: Douillard et al., "Streaming DiLoCo with overlapping communication" (arXiv 2501.18512), algorithm 2.

import { ConfigError } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { decayAndAdd, subtractVectors } from "@atoll/tensor/vectors";
import { z } from "zod";
import { e3m0 } from "../compressors/e3m0.ts";
import { type Fragment, fragmentsOf } from "./fragments.ts";
import { decay, fraction, positive, steps } from "./optionSchemas.ts";
import { type NesterovOptions, nesterov, type OuterOptimizer } from "./outerOptimizer.ts";
import type { ParameterStrategy, StrategyEntry, StrategyNode, StrategyState } from "./strategy.ts";
import { codedReduced, reduced } from "./traffic.ts";
import { GO_ON } from "./whenMissing.ts";

const options = z.strictObject({
  H: steps(100, "inner steps between two outer steps of a fragment"),
  fragments: steps(2, "parts that the model is cut into by layers (the paper: one for every three layers)"),
  delay: z.int().min(0).default(1).describe("inner steps τ during which an all-reduce goes on"),
  mixing: fraction(0.5, "weight α of a node's own parameters when an outer step arrives"),
  quantise: z.boolean().default(true).describe("send outer gradients in four bits (E3M0)"),
});

const outerOptions = z
  .strictObject({
    learningRate: positive(0.4, "outer learning rate η"),
    momentum: decay(0.9, "outer Nesterov momentum μ"),
  })
  .prefault({});

export interface StreamingDiLoCoOptions {
  /** Inner steps between two outer steps of a fragment. Default 100. */
  readonly H?: number;
  /** Parts that the model is cut into by layers. Default 2. */
  readonly fragments?: number;
  /** Inner steps τ during which an all-reduce goes on. Default 1. */
  readonly delay?: number;
  /** Weight α of a node's own parameters when an outer step arrives. Default 0.5. */
  readonly mixing?: number;
  /** Whether outer gradients are sent in four bits. Default true. */
  readonly quantise?: boolean;
  /** The inner optimizer. Default AdamW. */
  readonly optimizer?: Optimizer;
  /** Default `nesterov({ learningRate: 0.4 })`. */
  readonly outer?: OuterOptimizer;
}

/**
 * Fragment f starts the all-reduce of its θ₀ − θᵢ after the steps t with t ≡ ⌊fH/F⌋ (mod H); τ steps later the outer
 * optimizer moves its θ₀ by the mean, and θᵢ ← αθᵢ + (1 − α)θ₀. State, each [P], fragment after fragment: `anchor` (θ₀), the
 * outer optimizer's slots, `inFlight` (means, once they have arrived); by fragment the number of its open call.
 *
 * Bytes a node sends every H steps, about: 2(N−1)/N · P/2, a fragment's part at a time; what is under way when the run ends does
 * not count. With one fragment, τ = 0, α = 0 and no quantisation it is DiLoCo.
 * @throws ConfigError if an option is out of its range, τ ≥ H, F > H, or if there are more fragments than layers.
 */
export function streamingDiLoCo({
  optimizer = adamW(),
  outer = nesterov({ learningRate: 0.4 }),
  ...given
}: StreamingDiLoCoOptions = {}): ParameterStrategy {
  const resolved = parseConfig(options, given, "strategy");
  const { H, fragments: count, delay, mixing, quantise } = resolved;
  if (delay >= H)
    throw new ConfigError(
      `Option "strategy.delay": expected less than H (${H}), got ${delay}. An outer step has to arrive before the next.`,
    );
  if (count > H)
    throw new ConfigError(
      `Option "strategy.fragments": expected at most H (${H}), got ${count}. One fragment at a time is sent.`,
    );
  const offsets = Array.from({ length: count }, (_, f) => offsetOf(f, H, count));
  const codec = quantise ? { codec: e3m0() } : {};
  return {
    kind: "parameter",
    name: "streamingdiloco",
    config: { kind: "streamingdiloco", ...resolved, outer: outer.config },
    optimizer,
    whenMissing: GO_ON,
    records: quantise ? ["outerCosine", "compressionError"] : ["outerCosine"],
    validate() {},
    validateModel: (layout) => void fragmentsOf(layout, count),
    init: (node) => initialState(node, outer, count),
    localSteps: (step) =>
      Math.min(...offsets.flatMap((offset) => [offset, offset + delay].map((at) => stepsTo(step, at, H)))),
    async synchronise(node, state) {
      const { communicator, parameters, layout, step, record } = node;
      const fragments = fragmentsOf(layout, count);
      for (const [f, fragment] of fragments.entries()) {
        if ((step - offsets[f]!) % H !== 0) continue;
        const change = part(state, "inFlight", fragment);
        const anchor = part(state, "anchor", fragment);
        forRanges(fragment, ({ start, end }, within) =>
          subtractVectors(within(change), within(anchor), parameters.subarray(start, end)),
        );
        record?.outerGradient?.(change);
        state.values[`handle${f}`] = communicator.start.allReduce(change, { op: "mean", ...codec }).id;
      }
      for (const [f, fragment] of fragments.entries()) {
        const handle = state.values[`handle${f}`]!;
        if (handle === 0 || (step - offsets[f]! - delay) % H !== 0) continue;
        await communicator.started(handle).wait();
        state.values[`handle${f}`] = 0;
        applyOuter(node, state, { fragment, outer, mixing });
      }
    },
  };
}

/** The steps t after which a fragment is sent are those with t ≡ this (mod H). */
const offsetOf = (fragment: number, H: number, count: number): number => Math.floor((fragment * H) / count);

/** Steps from `step` to the next that is `at` modulo H, at least 1. */
const stepsTo = (step: number, at: number, H: number): number => H - ((((step - at) % H) + H) % H);

function initialState(
  { parameters, layout }: StrategyNode,
  outer: OuterOptimizer,
  count: number,
): StrategyState {
  const vector = (initial = 0): Float32Array => new Float32Array(parameters.length).fill(initial);
  const slots = Object.entries(outer.slots).map(([slot, initial]) => [slot, vector(initial)]);
  const tensors = { anchor: vector(), inFlight: vector(), ...Object.fromEntries(slots) };
  const fragments = fragmentsOf(layout, count);
  for (const fragment of fragments) {
    const anchor = tensors.anchor.subarray(fragment.start, fragment.end);
    forRanges(fragment, ({ start, end }, within) => within(anchor).set(parameters.subarray(start, end)));
  }
  return { tensors, values: Object.fromEntries(fragments.map((_, f) => [`handle${f}`, 0])) };
}

const part = ({ tensors }: StrategyState, name: string, { start, end }: Fragment): Float32Array =>
  tensors[name]!.subarray(start, end);

/** @param each gets a range of the parameters, and what has the same place in a vector of the fragment's elements */
function forRanges(
  { ranges }: Fragment,
  each: (range: Fragment["ranges"][number], within: (vector: Float32Array) => Float32Array) => void,
): void {
  let at = 0;
  for (const range of ranges) {
    const from = at;
    at += range.end - range.start;
    const to = at;
    each(range, (vector) => vector.subarray(from, to));
  }
}

/** An outer step of one fragment, mixed into the node's parameters. */
function applyOuter(
  { parameters }: StrategyNode,
  state: StrategyState,
  {
    fragment,
    outer,
    mixing,
  }: { readonly fragment: Fragment; readonly outer: OuterOptimizer; readonly mixing: number },
): void {
  const anchor = part(state, "anchor", fragment);
  const slots = Object.keys(outer.slots).map((slot) => [slot, part(state, slot, fragment)]);
  outer.update(anchor, part(state, "inFlight", fragment), Object.fromEntries(slots));
  forRanges(fragment, ({ start, end }, within) =>
    decayAndAdd(parameters.subarray(start, end), within(anchor), { decay: mixing, factor: 1 - mixing }),
  );
}

export const streamingDiLoCoEntry: StrategyEntry = {
  name: "streamingdiloco",
  summary: "DiLoCo fragment by fragment, in four bits, behind inner steps (Streaming DiLoCo)",
  options: options.extend({ outer: outerOptions }),
  traffic(values) {
    const { H, fragments: count, delay, quantise } = z.object(options.shape).parse(values);
    const exchanges = Array.from({ length: count }, (_, index) => {
      const given = { every: H, offset: offsetOf(index, H, count), delay, fragment: { index, count } };
      return quantise ? codedReduced(e3m0(), given) : reduced(given);
    });
    return { exchanges };
  },
  create: ({ outer, ...values }, optimizer) =>
    streamingDiLoCo({ ...values, optimizer, outer: nesterov(outer as NesterovOptions) }),
};
