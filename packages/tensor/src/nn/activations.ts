// Elementwise activations besides `relu`, and softmax.

import type { Tensor } from "../borrow.ts";
import { divide, erfc, exp, max, multiply, negate, stopGradient, subtract, sum } from "../ops.ts";

/** x Φ(x) with the exact normal distribution function. Hendrycks and Gimpel, "Gaussian error linear units" (2016). */
export const gelu = (x: Tensor): Tensor =>
  multiply(multiply(x, 0.5), erfc(negate(multiply(x, Math.SQRT1_2))));

/** exp(x) / Σ exp(x) over the last axis, shifted by the largest element so that nothing overflows. */
export function softmax(x: Tensor): Tensor {
  const shifted = exp(subtract(x, stopGradient(max(x, { axis: -1, keepdims: true }))));
  return divide(shifted, sum(shifted, { axis: -1, keepdims: true }));
}
