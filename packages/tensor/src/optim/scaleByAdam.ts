// Adam's scaling: running means of the gradient and of its square, corrected for starting at zero. Kingma and Ba, "Adam:
// a method for stochastic optimization" (ICLR 2015), algorithm 1.

import { add, divide, multiply, sqrt, square } from "../ops.ts";
import { requireRange } from "./check.ts";
import type { GradientTransformation } from "./transformation.ts";

export interface AdamOptions {
  /** Decay of the mean of gradients. */
  readonly b1?: number;
  /** Decay of the mean of their squares. */
  readonly b2?: number;
  readonly eps?: number;
}

export const ADAM_DEFAULTS: Required<AdamOptions> = { b1: 0.9, b2: 0.999, eps: 1e-8 };

/** Bias corrections for the next update when `count` updates are done: 1 / (1 − b1ᵗ) and 1 / √(1 − b2ᵗ), t = count + 1. */
export const adamCorrections = (
  { b1, b2 }: { readonly b1: number; readonly b2: number },
  count: number,
): { readonly mean: number; readonly root: number } => ({
  mean: 1 / (1 - b1 ** (count + 1)),
  root: 1 / Math.sqrt(1 - b2 ** (count + 1)),
});

/** μ ← b1 μ + (1 − b1) g, ν ← b2 ν + (1 − b2) g²; the update is μ̂ / (√ν̂ + eps) with the corrected means μ̂, ν̂. */
export function scaleByAdam(options: AdamOptions = {}): GradientTransformation {
  const { b1, b2, eps } = { ...ADAM_DEFAULTS, ...options };
  requireRange("b1", b1, { least: 0, below: 1 });
  requireRange("b2", b2, { least: 0, below: 1 });
  requireRange("eps", eps, { least: 0 });
  return {
    name: "scaleByAdam",
    slots: ["mu", "nu"],
    config: { kind: "scaleByAdam", b1, b2, eps },
    rule: { kind: "scaleByAdam", b1, b2, eps },
    scalars: (count) => ({ ...adamCorrections({ b1, b2 }, count) }),
    update(gradients, state, _parameters, scalars) {
      const mu = add(multiply(state.mu!, b1), multiply(gradients, 1 - b1));
      const nu = add(multiply(state.nu!, b2), multiply(square(gradients), 1 - b2));
      const denominator = add(multiply(sqrt(nu), scalars.root!), eps);
      return { updates: divide(multiply(mu, scalars.mean!), denominator), state: { mu, nu } };
    },
  };
}
