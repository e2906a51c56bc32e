// The outer step that DiLoCo and the adaptive federated optimizers share: the nodes' mean change since the round began,
// handed to an outer optimizer that every rank runs alike.

import type { Optimizer } from "@atoll/tensor";
import { copyVector } from "@atoll/tensor/vectors";
import type { OuterOptimizer } from "./outerOptimizer.ts";
import type { LocalWork, ParameterStrategy, StrategyNode, StrategyState } from "./strategy.ts";
import type { MissingPolicy } from "./whenMissing.ts";

/** `anchor` (the round's start θ₀, [P]) and the outer optimizer's slots: what an outer step remembers. */
export function outerState(outer: OuterOptimizer, parameters: Float32Array): StrategyState["tensors"] {
  const slots = Object.entries(outer.slots).map(([slot, initial]) => [
    slot,
    new Float32Array(parameters.length).fill(initial),
  ]);
  return { anchor: Float32Array.from(parameters), ...Object.fromEntries(slots) };
}

/**
 * Δ ← (1/N) Σᵢ (θ₀ − θᵢ) over the nodes; the outer optimizer moves θ₀ by it, and every node starts its next round there.
 * One all-reduce of P floats.
 */
export async function outerStep(
  { communicator, parameters, local, record }: StrategyNode,
  tensors: StrategyState["tensors"],
  outer: OuterOptimizer,
): Promise<void> {
  const anchor = tensors.anchor!;
  const vectors = { out: parameters, a: anchor, b: parameters };
  await local.until(local.run({ operation: "subtract", vectors, numbers: {} }));
  record?.outerGradient?.(parameters);
  await communicator.allReduce(parameters, { op: "mean" });
  applyOuter(local, { outer, parameters, tensors });
}

/** The outer optimizer moves the anchor by Δ, which lies in the parameters, and these follow it. */
export function applyOuter(
  local: LocalWork,
  {
    outer,
    parameters,
    tensors,
  }: {
    readonly outer: OuterOptimizer;
    readonly parameters: Float32Array;
    readonly tensors: StrategyState["tensors"];
  },
): void {
  const anchor = tensors.anchor!;
  const slots = Object.fromEntries(Object.keys(outer.slots).map((slot) => [slot, tensors[slot]!]));
  if (outer.task !== undefined) {
    void local.later({ ...outer.task, vectors: { anchor, change: parameters, ...slots } });
    return;
  }
  outer.update(anchor, parameters, slots);
  copyVector(parameters, anchor);
}

/** Steps from `step` (steps done) to the next multiple of `every`, at least 1. */
export const stepsUntil = (step: number, every: number): number => every - (step % every);

export interface OuterStrategyOptions {
  readonly H: number;
  readonly optimizer: Optimizer;
  readonly outer: OuterOptimizer;
  readonly whenMissing: MissingPolicy;
}

/** H local steps, then an outer step, and so on. */
export function outerStrategy(
  name: string,
  { H, optimizer, outer, whenMissing }: OuterStrategyOptions,
): ParameterStrategy {
  return {
    kind: "parameter",
    name,
    config: { kind: name, H, outer: outer.config },
    optimizer,
    whenMissing,
    records: ["outerCosine"],
    validate() {},
    init: ({ parameters }) => ({ tensors: outerState(outer, parameters), values: {} }),
    localSteps: (step) => stepsUntil(step, H),
    synchronise: (node, { tensors }) => outerStep(node, tensors, outer),
  };
}
