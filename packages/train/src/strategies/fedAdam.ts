// FedAdam: federated averaging whose mean change is applied by Adam instead of being taken as it is.
// Source: Reddi et al., "Adaptive federated optimization" (arXiv 2003.00295), algorithm 2.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { type AdaptiveDecayOptions, adamOuter, adaptiveDecayOptions } from "./adaptiveOuter.ts";
import { steps } from "./optionSchemas.ts";
import { outerStrategy } from "./outerStep.ts";
import type { ParameterStrategy, StrategyEntry } from "./strategy.ts";
import { reduced } from "./traffic.ts";
import { QUORUM } from "./whenMissing.ts";

const options = z.strictObject({
  H: steps(10, "local steps between two outer steps"),
  ...adaptiveDecayOptions,
});

export interface FedAdamOptions extends AdaptiveDecayOptions {
  /** Local steps between two outer steps. Default 10. */
  readonly H?: number;
  /** The optimizer of the local steps. Default AdamW; configs take the paper's SGD, whose small changes bear η 0.1. */
  readonly optimizer?: Optimizer;
}

/**
 * Every H steps Δ = (1/N) Σᵢ (θ₀ − θᵢ), then on every rank alike
 * m ← β₁m + (1 − β₁)Δ, v ← β₂v + (1 − β₂)Δ², θ ← θ₀ − η m / (√v + τ).
 * Defaults: η 0.1, β₁ 0.9, β₂ 0.99, τ 1e-3; v starts at τ².
 *
 * Bytes a node sends with a ring: 2(N−1)/N · 4P every H steps.
 * @throws ConfigError if an option is out of its range.
 */
export function fedAdam({ optimizer = adamW(), ...given }: FedAdamOptions = {}): ParameterStrategy {
  const { H, ...outer } = parseConfig(options, given, "strategy");
  return outerStrategy("fedadam", { H, optimizer, outer: adamOuter(outer), whenMissing: QUORUM });
}

export const fedAdamEntry: StrategyEntry = {
  name: "fedadam",
  summary: "H local steps, then Adam on the mean change (FedAdam)",
  options,
  optimizer: { kind: "sgd", learningRate: 0.1 },
  traffic: ({ H }) => ({ exchanges: [reduced({ every: Number(H) })] }),
  create: (values, optimizer) => fedAdam({ ...values, optimizer }),
};
