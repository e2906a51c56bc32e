// DiLoCo: H local steps of AdamW, then the nodes' mean change is applied by an outer optimizer with Nesterov momentum.
// Source: Douillard et al., "DiLoCo: distributed low-communication training of language models" (arXiv 2311.08105),
// algorithm 1. The local optimizer's state is kept from round to round, as in the paper.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { type NesterovOptions, nesterov, nesterovOptions, type OuterOptimizer } from "./outerOptimizer.ts";
import { outerStrategy } from "./outerStep.ts";
import type { ParameterStrategy, StrategyEntry } from "./strategy.ts";
import { reduced } from "./traffic.ts";
import { GO_ON } from "./whenMissing.ts";

const options = z.strictObject({
  H: z
    .int()
    .min(1)
    .default(100)
    .describe("inner steps between two outer steps (the paper: 500; EXO Gym: 100)"),
});

export interface DiLoCoOptions {
  /** Inner steps between two outer steps. Default 100. */
  readonly H?: number;
  /** The inner optimizer. Default AdamW. */
  readonly optimizer?: Optimizer;
  /** Default `nesterov()`. */
  readonly outer?: OuterOptimizer;
}

/**
 * Every H steps Δ = (1/N) Σᵢ (θ₀ − θᵢ), and the outer optimizer moves θ₀ by it to the common start of the next round.
 * State: `anchor` (θ₀) and the outer optimizer's slots, the same on every rank.
 *
 * Bytes a node sends with a ring: 2(N−1)/N · 4P every H steps. With η = 1, μ = 0 it is FedAvg.
 * @throws ConfigError if H < 1.
 */
export function diLoCo({
  optimizer = adamW(),
  outer = nesterov(),
  ...given
}: DiLoCoOptions = {}): ParameterStrategy {
  const { H } = parseConfig(options, given, "strategy");
  return outerStrategy("diloco", { H, optimizer, outer, whenMissing: GO_ON });
}

export const diLoCoEntry: StrategyEntry = {
  name: "diloco",
  summary: "H inner steps, then an outer Nesterov step on the mean change (DiLoCo)",
  options: options.extend({ outer: nesterovOptions.prefault({}) }),
  traffic: ({ H }) => ({ exchanges: [reduced({ every: Number(H) })] }),
  create: ({ outer, ...values }, optimizer) =>
    diLoCo({ ...values, optimizer, outer: nesterov(outer as NesterovOptions) }),
};
