// The gradient of a proximal term, which keeps local steps near the point that a round started from. Li et al.,
// "Federated optimization in heterogeneous networks" (arXiv 1812.06127), §3.2.

import { add, multiply, subtract } from "../ops.ts";
import { requireRange } from "./check.ts";
import type { GradientTransformation } from "./transformation.ts";

/**
 * `g + mu · (p − anchor)`: the gradient of the loss plus mu/2 · ‖p − anchor‖².
 * Its slot `anchor` is never changed by an update: whoever trains sets it, at the latest before the first step.
 */
export function proximal(mu: number): GradientTransformation {
  requireRange("proximal", mu, { least: 0 });
  return {
    name: "proximal",
    slots: ["anchor"],
    config: { kind: "proximal", mu },
    rule: { kind: "proximal", mu },
    scalars: () => ({}),
    update(gradients, state, parameters) {
      const anchor = state.anchor!;
      const pull = multiply(subtract(parameters, anchor), mu);
      return { updates: add(gradients, pull), state: { anchor } };
    },
  };
}
