// Adaptive outer optimizers, after Adam, Yogi and Adagrad: each coordinate of the nodes' mean change is divided by a
// running measure of its size. Source: Reddi et al., "Adaptive federated optimization" (arXiv 2003.00295), algorithm 2.
// As there, no bias is corrected, and the second moment starts at τ².

import { parseConfig } from "@atoll/core/config";
import { z } from "zod";
import { decay, positive } from "./optionSchemas.ts";
import type { OuterOptimizer } from "./outerOptimizer.ts";
import { adagradUpdate, adamUpdate, yogiUpdate } from "./outerUpdates.ts";

type NumberOption = z.ZodDefault<z.ZodNumber>;
type AdaptiveShape = Readonly<Record<"learningRate" | "b1" | "tau", NumberOption>>;

/** Adagrad's options, for configs. */
export const adagradOptions: AdaptiveShape = {
  learningRate: positive(0.1, "outer learning rate η"),
  b1: decay(0, "decay of the mean of outer gradients"),
  tau: positive(1e-3, "added to the root of the second moment"),
};

/** Adam's and Yogi's options, for configs. */
export const adaptiveDecayOptions: AdaptiveShape & Readonly<Record<"b2", NumberOption>> = {
  learningRate: adagradOptions.learningRate,
  b1: decay(0.9, "decay of the mean of outer gradients"),
  b2: decay(0.99, "decay of the mean of their squares"),
  tau: adagradOptions.tau,
};

const adagradSchema = z.strictObject(adagradOptions);
const decayingSchema = z.strictObject(adaptiveDecayOptions);

export interface AdaptiveOptions {
  /** η. Default 0.1. */
  readonly learningRate?: number;
  /** β₁, decay of the mean of outer gradients. Default 0.9; under Adagrad 0. */
  readonly b1?: number;
  /** τ, added to the root of the second moment: the larger, the less adaptive. Default 1e-3. */
  readonly tau?: number;
}

export interface AdaptiveDecayOptions extends AdaptiveOptions {
  /** β₂, decay of the mean of their squares. Default 0.99. */
  readonly b2?: number;
}

/** m ← β₁m + (1 − β₁)Δ; v ← one of the below; θ ← θ₀ − η m / (√v + τ). */
const adaptive = (kind: keyof typeof updates, options: Required<AdaptiveOptions>): OuterOptimizer => ({
  config: { kind, ...options },
  slots: { mean: 0, square: options.tau ** 2 },
  task: { operation: `${kind}Outer`, numbers: { ...options } },
  update: (anchor, change, slots) => updates[kind]({ anchor, change, ...slots }, { ...options }),
});

const updates = { adam: adamUpdate, yogi: yogiUpdate, adagrad: adagradUpdate } as const;

/** Adam: v ← β₂v + (1 − β₂)Δ². @throws ConfigError for an option that there is none of, or a number out of range */
export const adamOuter = (given: AdaptiveDecayOptions = {}): OuterOptimizer =>
  adaptive("adam", parseConfig(decayingSchema, given, "strategy.outer"));

/**
 * Yogi: v ← v − (1 − β₂)Δ² sign(v − Δ²), which changes v by no more than Δ² even where v is far larger.
 * @throws ConfigError for an option that there is none of, or a number out of range
 */
export const yogiOuter = (given: AdaptiveDecayOptions = {}): OuterOptimizer =>
  adaptive("yogi", parseConfig(decayingSchema, given, "strategy.outer"));

/** Adagrad: v ← v + Δ². @throws ConfigError for an option that there is none of, or a number out of range */
export const adagradOuter = (given: AdaptiveOptions = {}): OuterOptimizer =>
  adaptive("adagrad", parseConfig(adagradSchema, given, "strategy.outer"));
