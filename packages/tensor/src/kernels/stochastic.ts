// Rounding at random to levels of eight bits, and back: what the WebAssembly functions of stochasticFunctions.ts do, for
// those elements that they can. The rest is the caller's, who has the loop for all of them. Buckets are told by where they
// begin and end, since a view for each costs as much as its arithmetic.

import { PARITY, ROTATIONS, ROUND_AT_ONCE, SUM_AT_ONCE } from "./stochasticFunctions.ts";
import { kernelsFor } from "./vectors.ts";

/**
 * The block of a counter: Threefry-2x32 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) of thirteen
 * rounds instead of the twenty that @atoll/core draws with, since rounding asks little of its noise and draws a great deal.
 */
export function roundingBits(
  [k0, k1]: readonly [number, number],
  counter: number,
): readonly [number, number] {
  const keys = [k0, k1, PARITY ^ k0 ^ k1];
  let x0 = (counter + k0) | 0;
  let x1 = k1 | 0;
  for (const [group, rotations] of ROTATIONS.entries()) {
    for (const by of rotations) {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << by) | (x1 >>> (32 - by))) ^ x0;
    }
    if (group === ROTATIONS.length - 1) break;
    x0 = (x0 + keys[(group + 1) % 3]!) | 0;
    x1 = (x1 + keys[(group + 2) % 3]! + group + 1) | 0;
  }
  return [x0, x1];
}

/** Elements [start, end) of vectors. */
export interface Bucket {
  readonly start: number;
  readonly end: number;
}

export interface RandomRounding {
  /** What magnitudes are multiplied by: with it the largest is at most the highest level, which is at most 127. */
  readonly factor: number;
  readonly key: readonly [number, number];
  /** Of the block that the first four elements draw from; the next four draw from the next. */
  readonly counter: number;
}

const FLOAT_BYTES = 4;

/**
 * codes ← 2 · l + (x < 0), a byte each, l the integer nearest to |x| · factor + r with r drawn from the middles of 2¹⁶ parts of
 * [−½, ½); in float32, rounded after each operation. x and their codes [n]
 * @returns for a bucket: where it has stopped
 */
export function roundingOf(
  x: Float32Array,
  codes: Uint8Array,
): (bucket: Bucket, rounding: RandomRounding) => number {
  const blocks = kernelsFor(x, codes)?.blocks;
  if (blocks === undefined) return ({ start }) => start;
  return ({ start, end }, { factor, key, counter }) => {
    const length = end - start - ((end - start) % ROUND_AT_ONCE);
    const [from, to] = [x.byteOffset + FLOAT_BYTES * start, codes.byteOffset + start];
    blocks.roundAtRandom(from, to, length, factor, key[0], key[1], counter);
    return start + length;
  };
}

/**
 * out ← Σ ±⌊code / 2⌋ · factor over the members, added up in their order in float32, for buckets of `out` [n]. A member's codes
 * for it begin `first` bytes behind the beginning of its message.
 * @param scratch [2 · messages] or more
 * @returns for a bucket and the members' factors: where it has stopped
 */
export function summingOf(
  messages: readonly Float32Array[],
  out: Float32Array,
  { first, scratch }: { readonly first: number; readonly scratch: Float32Array },
): (bucket: Bucket, factors: readonly number[]) => number {
  const blocks = kernelsFor(scratch, out, ...messages)?.blocks;
  if (blocks === undefined) return ({ start }) => start;
  const members = messages.length;
  const table = new Uint32Array(scratch.buffer, scratch.byteOffset, members);
  for (const [m, { byteOffset }] of messages.entries()) table[m] = byteOffset;
  const own = scratch.subarray(members, 2 * members);
  return ({ start, end }, factors) => {
    for (let m = 0; m < members; m++) own[m] = factors[m]!;
    const length = end - start - ((end - start) % SUM_AT_ONCE);
    const to = out.byteOffset + FLOAT_BYTES * start;
    blocks.sumOfLevels(scratch.byteOffset, first + start, members, length, own.byteOffset, to);
    return start + length;
  };
}
