// Vectors for tests of compressors.

import { createRandom } from "@atoll/core";

/** Normal numbers, [length], by the seed. */
export function normals(length: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length }, () => random.normal());
}

/** Σ a b, in float64. */
export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
