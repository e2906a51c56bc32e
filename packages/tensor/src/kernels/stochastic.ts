// Rounding at random to levels of eight bits, and back: what the WebAssembly functions of stochasticFunctions.ts do, for
// those elements that they can. The rest is the caller's, who has the loop for all of them. Buckets are told by where they
// begin and end, since a view for each costs as much as its arithmetic.

import { kernelsFor } from "./vectors.ts";

/** Elements [start, end) of vectors. */
export interface Bucket {
  readonly start: number;
  readonly end: number;
}

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
const FLOAT_BYTES = 4;

/** Both do some elements from a bucket's first on and return where they have stopped. */
export interface Rounder {
  /**
   * codes ← 2 · ⌊|x| / most · steps + u⌋ + (x < 0), a byte each, with u drawn from the middles of 2¹⁶ parts of [0, 1); in
   * float32, rounded after each operation.
   */
  round(bucket: Bucket, rounding: RandomRounding): number;
  /** x ← x + q / members with q = ±⌊code / 2⌋ / steps · most, in float32 and rounded after each operation. */
  add(bucket: Bucket, restoring: Restoring): number;
}

export interface Restoring {
  readonly most: number;
  readonly steps: number;
  readonly members: number;
}

/** For vectors and their codes, each [n]; it does nothing where they share no memory. */
export function roundingOf(x: Float32Array, codes: Uint8Array): Rounder {
  const blocks = kernelsFor(x, codes)?.blocks;
  if (blocks === undefined) return { round: ({ start }) => start, add: ({ start }) => start };
  const whole = ({ start, end }: Bucket): number => end - start - ((end - start) % AT_ONCE);
  return {
    round(bucket, { most, steps, key, counter }) {
      const { start } = bucket;
      const length = whole(bucket);
      const [from, to] = [x.byteOffset + FLOAT_BYTES * start, codes.byteOffset + start];
      blocks.roundAtRandom(from, to, length, most, steps, key[0], key[1], counter);
      return start + length;
    },
    add(bucket, { most, steps, members }) {
      const { start } = bucket;
      const length = whole(bucket);
      const [from, to] = [codes.byteOffset + start, x.byteOffset + FLOAT_BYTES * start];
      blocks.addRounded(from, to, length, most, steps, members);
      return start + length;
    },
  };
}
