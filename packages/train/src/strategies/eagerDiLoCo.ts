// DiLoCo whose all-reduce is hidden behind the next round's steps: the other nodes' changes arrive a round late, a node's
// own are applied at once. Source: Kale et al., "Eager updates for overlapped communication and computation in DiLoCo"
// (arXiv 2502.12996), algorithm 2.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { copyVector } from "@atoll/tensor/vectors";
import { z } from "zod";
import { decay, positive, steps } from "./optionSchemas.ts";
import { type NesterovOptions, nesterov, type OuterOptimizer } from "./outerOptimizer.ts";
import { applyOuter, outerState, outerStep, stepsUntil } from "./outerStep.ts";
import type { ParameterStrategy, StrategyEntry, StrategyNode, StrategyState } from "./strategy.ts";
import { reduced } from "./traffic.ts";
import { GO_ON } from "./whenMissing.ts";

const options = z.strictObject({
  H: steps(100, "inner steps between two outer steps"),
  delay: z.int().min(0).max(1).default(1).describe("rounds that the other nodes' changes are late"),
});

const outerOptions = z
  .strictObject({
    learningRate: positive(0.7, "outer learning rate η"),
    momentum: decay(0.9, "outer Nesterov momentum μ"),
  })
  .prefault({});

export interface EagerDiLoCoOptions {
  /** Inner steps between two outer steps. Default 100. */
  readonly H?: number;
  /** Rounds that the other nodes' changes are late: 1, or 0 for DiLoCo. Default 1. */
  readonly delay?: number;
  /** The inner optimizer. Default AdamW. */
  readonly optimizer?: Optimizer;
  /** Default `nesterov()`. */
  readonly outer?: OuterOptimizer;
}

/**
 * At the end of round t node i's outer gradient is mean Δ(t−1) + (Δᵢ(t) − Δᵢ(t−1))/N, Δᵢ = θ₀ᵢ − θᵢ; the all-reduce of Δ(t)
 * goes on during round t+1. In the first round nothing has come yet, and it is Δᵢ/N. Nodes differ by their own last part.
 * State: `anchor` (θ₀ᵢ), the outer optimizer's slots, `own` (Δᵢ(t−1)) and `inFlight` (mean Δ(t−1), once it has arrived).
 *
 * Bytes a node sends with a ring: 2(N−1)/N · 4P every H steps; what is under way when the run ends does not count. With delay 0
 * it is DiLoCo.
 * @throws ConfigError if an option is out of its range.
 */
export function eagerDiLoCo({
  optimizer = adamW(),
  outer = nesterov(),
  ...given
}: EagerDiLoCoOptions = {}): ParameterStrategy {
  const { H, delay } = parseConfig(options, given, "strategy");
  return {
    kind: "parameter",
    name: "eagerdiloco",
    config: { kind: "eagerdiloco", H, delay, outer: outer.config },
    optimizer,
    whenMissing: GO_ON,
    records: ["outerCosine"],
    validate() {},
    init: ({ parameters }) => ({
      tensors: {
        ...outerState(outer, parameters),
        ...(delay === 0
          ? {}
          : { own: new Float32Array(parameters.length), inFlight: new Float32Array(parameters.length) }),
      },
      values: delay === 0 ? {} : { handle: 0 },
    }),
    localSteps: (step) => stepsUntil(step, H),
    synchronise: (node, state) =>
      delay === 0 ? outerStep(node, state.tensors, outer) : eagerStep(node, state, outer),
  };
}

async function eagerStep(
  { communicator, parameters, local, record }: StrategyNode,
  { tensors, values }: StrategyState,
  outer: OuterOptimizer,
): Promise<void> {
  const anchor = tensors.anchor!;
  const own = tensors.own!;
  const inFlight = tensors.inFlight!;
  if (values.handle !== 0) await communicator.started(values.handle!).wait();
  for (let i = 0; i < parameters.length; i++) {
    const delta = anchor[i]! - parameters[i]!;
    parameters[i] = inFlight[i]! + (delta - own[i]!) / communicator.worldSize;
    own[i] = delta;
  }
  record?.outerGradient?.(own);
  copyVector(inFlight, own);
  // Only the number of the call is kept, so that a checkpoint can have it; the result will be in `inFlight`.
  values.handle = communicator.start.allReduce(inFlight, { op: "mean" }).id;
  applyOuter(local, { outer, parameters, tensors });
}

export const eagerDiLoCoEntry: StrategyEntry = {
  name: "eagerdiloco",
  summary: "DiLoCo with its all-reduce behind the next round's steps (eager updates)",
  options: options.extend({ outer: outerOptions }),
  traffic: ({ H, delay }) => ({
    exchanges: [reduced({ every: Number(H), delay: Number(H) * Number(delay) })],
  }),
  create: ({ outer, ...values }, optimizer) =>
    eagerDiLoCo({ ...values, optimizer, outer: nesterov(outer as NesterovOptions) }),
};
