// FedYogi: federated averaging whose mean change is applied by Yogi instead of being taken as it is.
// Source: Reddi et al., "Adaptive federated optimization" (arXiv 2003.00295), algorithm 2.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { type AdaptiveDecayOptions, adaptiveDecayOptions, yogiOuter } from "./adaptiveOuter.ts";
import { steps } from "./optionSchemas.ts";
import { outerStrategy } from "./outerStep.ts";
import type { ParameterStrategy, StrategyEntry } from "./strategy.ts";
import { reduced } from "./traffic.ts";
import { QUORUM } from "./whenMissing.ts";

const options = z.strictObject({
  H: steps(10, "local steps between two outer steps"),
  ...adaptiveDecayOptions,
});

export interface FedYogiOptions extends AdaptiveDecayOptions {
  /** Local steps between two outer steps. Default 10. */
  readonly H?: number;
  /** The optimizer of the local steps. Default AdamW; configs take the paper's SGD, whose small changes bear η 0.1. */
  readonly optimizer?: Optimizer;
}

/**
 * Every H steps Δ = (1/N) Σᵢ (θ₀ − θᵢ), then on every rank alike
 * m ← β₁m + (1 − β₁)Δ, v ← v − (1 − β₂)Δ² sign(v − Δ²), θ ← θ₀ − η m / (√v + τ).
 * Defaults: η 0.1, β₁ 0.9, β₂ 0.99, τ 1e-3; v starts at τ².
 *
 * Bytes a node sends with a ring: 2(N−1)/N · 4P every H steps.
 * @throws ConfigError if an option is out of its range.
 */
export function fedYogi({ optimizer = adamW(), ...given }: FedYogiOptions = {}): ParameterStrategy {
  const { H, ...outer } = parseConfig(options, given, "strategy");
  return outerStrategy("fedyogi", { H, optimizer, outer: yogiOuter(outer), whenMissing: QUORUM });
}

export const fedYogiEntry: StrategyEntry = {
  name: "fedyogi",
  summary: "H local steps, then Yogi on the mean change (FedYogi)",
  options,
  optimizer: { kind: "sgd", learningRate: 0.1 },
  traffic: ({ H }) => ({ exchanges: [reduced({ every: Number(H) })] }),
  create: (values, optimizer) => fedYogi({ ...values, optimizer }),
};
