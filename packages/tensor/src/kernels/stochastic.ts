// Rounding at random to levels of eight bits, and back: what the WebAssembly functions of stochasticFunctions.ts do, for
// those elements that they can. The rest is the caller's, who has the loop for all of them.

import { kernelsFor } from "./vectors.ts";

export interface RandomRounding {
  /** The largest magnitude, which becomes the highest level; finite and above 0. */
  readonly most: number;
  /** The highest level, at most 127. */
  readonly steps: number;
  readonly key: readonly [number, number];
  /** The Threefry block that the first four elements draw from. */
  readonly counter: number;
}

const AT_ONCE = 16;

/**
 * codes ← 2 · ⌊|x| / most · steps + u⌋ + (x < 0), a byte each, with u drawn from the middles of 2¹⁶ parts of [0, 1); in
 * float32, rounded after each operation.
 * @returns how many elements of `x` were rounded, from the first on; none where the vectors share no memory
 */
export function roundAtRandom(
  x: Float32Array,
  codes: Uint8Array,
  { most, steps, key, counter }: RandomRounding,
): number {
  const blocks = kernelsFor(x, codes)?.blocks;
  if (blocks === undefined) return 0;
  const whole = x.length - (x.length % AT_ONCE);
  blocks.roundAtRandom(x.byteOffset, codes.byteOffset, whole, most, steps, key[0], key[1], counter);
  return whole;
}

/**
 * mean ← mean + q / members with q = ±⌊code / 2⌋ / steps · most, in float32 and rounded after each operation.
 * @returns how many elements were added, from the first on; none where the vectors share no memory
 */
export function addRounded(
  codes: Uint8Array,
  mean: Float32Array,
  { most, steps, members }: { readonly most: number; readonly steps: number; readonly members: number },
): number {
  const blocks = kernelsFor(codes, mean)?.blocks;
  if (blocks === undefined) return 0;
  const whole = mean.length - (mean.length % AT_ONCE);
  blocks.addRounded(codes.byteOffset, mean.byteOffset, whole, most, steps, members);
  return whole;
}
