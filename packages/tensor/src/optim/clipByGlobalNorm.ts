// Clipping of the gradient by its norm over all parameters. Pascanu, Mikolov and Bengio, "On the difficulty of training
// recurrent neural networks" (ICML 2013), §3.2.

import { CLIP_EPSILON } from "../kernels/apply.ts";
import { add, divide, minimum, multiply, sqrt, square, sum } from "../ops.ts";
import { requireRange } from "./check.ts";
import type { GradientTransformation } from "./transformation.ts";

/** `g · min(1, maxNorm / (‖g‖₂ + 1e-6))`, as PyTorch's `clip_grad_norm_`. */
export function clipByGlobalNorm(maxNorm: number): GradientTransformation {
  requireRange("clipByGlobalNorm", maxNorm, { least: Number.MIN_VALUE });
  return {
    name: "clipByGlobalNorm",
    slots: [],
    config: { kind: "clipByGlobalNorm", maxNorm },
    rule: { kind: "clipByGlobalNorm", maxNorm },
    scalars: () => ({}),
    update(gradients) {
      const norm = sqrt(sum(square(gradients)));
      const scale = minimum(divide(maxNorm, add(norm, CLIP_EPSILON)), 1);
      return { updates: multiply(gradients, scale), state: {} };
    },
  };
}
