// Adaptive outer optimizers, after Adam, Yogi and Adagrad: each coordinate of the nodes' mean change is divided by a
// running measure of its size. Source: Reddi et al., "Adaptive federated optimization" (arXiv 2003.00295), algorithm 2.
// As there, no bias is corrected, and the second moment starts at τ².

import type { OuterOptimizer } from "./outerOptimizer.ts";
import { adagradUpdate, adamUpdate, yogiUpdate } from "./outerUpdates.ts";

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

/** Adam: v ← β₂v + (1 − β₂)Δ². */
export const adamOuter = ({
  learningRate = 0.1,
  b1 = 0.9,
  b2 = 0.99,
  tau = 1e-3,
}: AdaptiveDecayOptions = {}): OuterOptimizer => adaptive("adam", decaying({ learningRate, b1, b2, tau }));

/** Yogi: v ← v − (1 − β₂)Δ² sign(v − Δ²), which changes v by no more than Δ² even where v is far larger. */
export const yogiOuter = ({
  learningRate = 0.1,
  b1 = 0.9,
  b2 = 0.99,
  tau = 1e-3,
}: AdaptiveDecayOptions = {}): OuterOptimizer => adaptive("yogi", decaying({ learningRate, b1, b2, tau }));

/** Adagrad: v ← v + Δ². */
export const adagradOuter = ({
  learningRate = 0.1,
  b1 = 0,
  tau = 1e-3,
}: AdaptiveOptions = {}): OuterOptimizer => adaptive("adagrad", { learningRate, b1, tau });

const decaying = (options: Required<AdaptiveDecayOptions>): Required<AdaptiveDecayOptions> => options;
