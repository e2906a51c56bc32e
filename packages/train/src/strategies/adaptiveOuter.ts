// Adaptive outer optimizers, after Adam, Yogi and Adagrad: each coordinate of the nodes' mean change is divided by a
// running measure of its size. Source: Reddi et al., "Adaptive federated optimization" (arXiv 2003.00295), algorithm 2.
// As there, no bias is corrected, and the second moment starts at τ².

import type { OuterOptimizer } from "./outerOptimizer.ts";

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

type SecondMoment = (v: number, squared: number) => number;

/** m ← β₁m + (1 − β₁)Δ; v ← next(v, Δ²); θ ← θ₀ − η m / (√v + τ). */
function adaptive(
  kind: string,
  { learningRate, b1, tau, ...rest }: Required<AdaptiveOptions> & { readonly b2?: number },
  next: SecondMoment,
): OuterOptimizer {
  return {
    config: { kind, learningRate, b1, ...rest, tau },
    slots: { mean: 0, square: tau ** 2 },
    update(parameters, outerGradient, slots) {
      const m = slots.mean!;
      const v = slots.square!;
      for (let i = 0; i < parameters.length; i++) {
        const delta = outerGradient[i]!;
        const mean = b1 * m[i]! + (1 - b1) * delta;
        const square = next(v[i]!, delta * delta);
        m[i] = mean;
        v[i] = square;
        parameters[i]! -= (learningRate * mean) / (Math.sqrt(square) + tau);
      }
    },
  };
}

/** Adam: v ← β₂v + (1 − β₂)Δ². */
export function adamOuter({
  learningRate = 0.1,
  b1 = 0.9,
  b2 = 0.99,
  tau = 1e-3,
}: AdaptiveDecayOptions = {}): OuterOptimizer {
  return adaptive("adam", { learningRate, b1, b2, tau }, (v, squared) => b2 * v + (1 - b2) * squared);
}

/** Yogi: v ← v − (1 − β₂)Δ² sign(v − Δ²), which changes v by no more than Δ² even where v is far larger. */
export function yogiOuter({
  learningRate = 0.1,
  b1 = 0.9,
  b2 = 0.99,
  tau = 1e-3,
}: AdaptiveDecayOptions = {}): OuterOptimizer {
  return adaptive(
    "yogi",
    { learningRate, b1, b2, tau },
    (v, squared) => v - (1 - b2) * squared * Math.sign(v - squared),
  );
}

/** Adagrad: v ← v + Δ². */
export function adagradOuter({
  learningRate = 0.1,
  b1 = 0,
  tau = 1e-3,
}: AdaptiveOptions = {}): OuterOptimizer {
  return adaptive("adagrad", { learningRate, b1, tau }, (v, squared) => v + squared);
}
