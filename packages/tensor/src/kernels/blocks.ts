// What compressors do to vectors, block by block: scales, signs, rounding, and the search for the largest elements. Where the
// vectors lie in one shared memory, WebAssembly functions do it (codecFunctions.ts), and else loops, with the same bits.

import type { BlockFunctions } from "./kernels.ts";
import { kernelsFor } from "./vectors.ts";

/** Elements that functions leave over, since they take four at a time. */
const wholeFours = (length: number): number => length - (length % 4);

/** max |x|, not a number if an element is none. */
function largestMagnitude(x: Float32Array, blocks: BlockFunctions | undefined): number {
  const whole = blocks === undefined ? 0 : wholeFours(x.length);
  let most = whole === 0 ? 0 : blocks!.largestMagnitude(x.byteOffset, whole);
  for (let i = whole; i < x.length; i++) most = Math.max(most, Math.abs(x[i]!));
  return most;
}

/** Σ |x|: sums of every fourth element first, then what is left over. */
function sumOfMagnitudes(x: Float32Array, blocks: BlockFunctions | undefined): number {
  const whole = wholeFours(x.length);
  let total = 0;
  if (blocks !== undefined) total = whole === 0 ? 0 : blocks.sumOfMagnitudes(x.byteOffset, whole);
  else {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < whole; i += 4) {
      a += Math.abs(x[i]!);
      b += Math.abs(x[i + 1]!);
      c += Math.abs(x[i + 2]!);
      d += Math.abs(x[i + 3]!);
    }
    total = a + c + (b + d);
  }
  for (let i = whole; i < x.length; i++) total += Math.abs(x[i]!);
  return total;
}

/** Calls `each` for every block of `x` and the same elements of `out`; the last one may be shorter. */
function forBlocks(
  x: Float32Array,
  out: Float32Array,
  blockSize: number,
  each: (x: Float32Array, out: Float32Array) => void,
): void {
  for (let start = 0; start < x.length; start += blockSize)
    each(x.subarray(start, start + blockSize), out.subarray(start, start + blockSize));
}

/** The largest magnitude of a block; not a number if an element is none. */
export const maxMagnitude = (block: Float32Array): number =>
  largestMagnitude(block, kernelsFor(block)?.blocks);

/** The mean magnitude of a block, rounded to float32: the scale of its signs. */
export const meanMagnitude = (block: Float32Array): number =>
  Math.fround(sumOfMagnitudes(block, kernelsFor(block)?.blocks) / block.length);

/** Block by block out ← sign(x) · mean |x|, zero counting as positive. x, out [n] */
export function roundToSigns(x: Float32Array, out: Float32Array, blockSize: number): void {
  const blocks = kernelsFor(x, out)?.blocks;
  forBlocks(x, out, blockSize, (block, rounded) => {
    const scale = Math.fround(sumOfMagnitudes(block, blocks) / block.length);
    const whole = blocks === undefined ? 0 : wholeFours(block.length);
    blocks?.signsTimes(block.byteOffset, rounded.byteOffset, whole, scale);
    for (let i = whole; i < block.length; i++) rounded[i] = block[i]! < 0 ? -scale : scale;
  });
}

/**
 * Block by block out ← q · s, s the largest magnitude / `most`, q the integer nearest to x / s. A block with an element
 * that is not finite becomes not a number. x, out [n]
 */
export function roundToIntegers(
  x: Float32Array,
  out: Float32Array,
  { blockSize, most }: { readonly blockSize: number; readonly most: number },
): void {
  const blocks = kernelsFor(x, out)?.blocks;
  forBlocks(x, out, blockSize, (block, rounded) => {
    const largest = largestMagnitude(block, blocks);
    const scale = Number.isFinite(largest) ? Math.fround(largest / most) : Number.NaN;
    if (!(scale > 0)) {
      rounded.fill(scale);
      return;
    }
    const whole = blocks === undefined ? 0 : wholeFours(block.length);
    blocks?.roundToSteps(block.byteOffset, rounded.byteOffset, whole, scale, most);
    for (let i = whole; i < block.length; i++) {
      // Adding zero makes a negative zero the integer that it is.
      const nearest = Math.round(block[i]! / scale) + 0;
      rounded[i] = Math.max(-most, Math.min(most, nearest)) * scale;
    }
  });
}

const MAGNITUDE = 0x7fffffff;

/**
 * The indices of all elements whose bits without the sign are at least the threshold, ascending, into `out`.
 * @returns how many there are; if that is more than `out` holds, the rest is missing
 */
export function collectAtLeast(x: Float32Array, threshold: number, out: Float32Array): number {
  const blocks = kernelsFor(x, out)?.blocks;
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length);
  const indices = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const whole = blocks === undefined ? 0 : wholeFours(x.length);
  let count =
    blocks === undefined
      ? 0
      : blocks.collectAtLeast(x.byteOffset, whole, threshold, out.byteOffset, out.length);
  for (let i = whole; i < bits.length; i++) {
    if ((bits[i]! & MAGNITUDE) < threshold) continue;
    if (count < indices.length) indices[count] = i;
    count++;
  }
  return count;
}

/** Whether kernels serve these vectors: whether they lie in one shared memory. */
export const isShared = (...vectors: readonly Float32Array[]): boolean =>
  kernelsFor(...vectors) !== undefined;

/**
 * A magnitude that at least k elements reach, and not many more: the k-th largest among the largest of 4k groups.
 * @param scratch [4k rounded up to a multiple of four] or more
 * @returns its bits; undefined where the vectors share no memory, or are too short for that
 */
export function magnitudeReachedBy(k: number, x: Float32Array, scratch: Float32Array): number | undefined {
  const groups = wholeFours(4 * k + 3);
  const each = Math.floor(x.length / groups);
  const blocks = kernelsFor(x, scratch)?.blocks;
  if (blocks === undefined || each < 2 || k === 0) return undefined;
  blocks.largestOfGroups(x.byteOffset, each, groups, scratch.byteOffset);
  const magnitudes = new Uint32Array(scratch.buffer, scratch.byteOffset, groups).slice().sort();
  return magnitudes[groups - k]!;
}
