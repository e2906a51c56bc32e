// What compressors do to vectors, block by block: scales, signs, rounding, and the search for the largest elements. Where the
// vectors lie in one shared memory, WebAssembly functions do it (magnitudeFunctions.ts and roundingFunctions.ts), and else loops, with the same bits.

import type { BlockFunctions } from "./kernels.ts";
import { MAGIC } from "./roundingFunctions.ts";
import { kernelsFor } from "./vectors.ts";

/** Elements that functions leave over, since they take four at a time. */
export const wholeFours = (length: number): number => length - (length % 4);

const FLOAT_BYTES = 4;

/** Elements [start, end) of a vector. A view for each block would cost as much as its arithmetic. */
export interface Block {
  readonly start: number;
  readonly end: number;
}

export const at = (x: Float32Array, index: number): number => x.byteOffset + FLOAT_BYTES * index;

/** max |x|, not a number if an element is none. */
export function largestMagnitude(
  x: Float32Array,
  { start, end }: Block,
  blocks: BlockFunctions | undefined,
): number {
  const whole = blocks === undefined ? 0 : wholeFours(end - start);
  let most = whole === 0 ? 0 : blocks!.largestMagnitude(at(x, start), whole);
  for (let i = start + whole; i < end; i++) most = Math.max(most, Math.abs(x[i]!));
  return most;
}

/** Σ |x|: sums of every fourth element first, then what is left over. */
export function sumOfMagnitudes(
  x: Float32Array,
  { start, end }: Block,
  blocks: BlockFunctions | undefined,
): number {
  const whole = wholeFours(end - start);
  let total = 0;
  if (blocks !== undefined) total = whole === 0 ? 0 : blocks.sumOfMagnitudes(at(x, start), whole);
  else {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = start; i < start + whole; i += 4) {
      a += Math.abs(x[i]!);
      b += Math.abs(x[i + 1]!);
      c += Math.abs(x[i + 2]!);
      d += Math.abs(x[i + 3]!);
    }
    total = a + c + (b + d);
  }
  for (let i = start + whole; i < end; i++) total += Math.abs(x[i]!);
  return total;
}

/** Calls `each` for every block of so many elements; the last one may be shorter. */
export function forBlocks(length: number, blockSize: number, each: (block: Block) => void): void {
  for (let start = 0; start < length; start += blockSize)
    each({ start, end: Math.min(start + blockSize, length) });
}

/** The largest magnitude of each block; not a number if an element is none. x [n] -> [⌈n / blockSize⌉] */
export function largestOfBlocks(x: Float32Array, blockSize: number): Float32Array {
  const blocks = kernelsFor(x)?.blocks;
  const largest: number[] = [];
  forBlocks(x.length, blockSize, (block) => largest.push(largestMagnitude(x, block, blocks)));
  return Float32Array.from(largest);
}

/** The mean magnitude of a block, rounded to float32: the scale of its signs. */
export const meanMagnitude = (block: Float32Array): number =>
  Math.fround(
    sumOfMagnitudes(block, { start: 0, end: block.length }, kernelsFor(block)?.blocks) / block.length,
  );

/** Block by block out ← sign(x) · mean |x|, zero counting as positive. x, out [n] */
export function roundToSigns(x: Float32Array, out: Float32Array, blockSize: number): void {
  const blocks = kernelsFor(x, out)?.blocks;
  forBlocks(x.length, blockSize, (block) => {
    const { start, end } = block;
    const scale = Math.fround(sumOfMagnitudes(x, block, blocks) / (end - start));
    const whole = blocks === undefined ? 0 : wholeFours(end - start);
    blocks?.signsTimes(at(x, start), at(out, start), whole, scale);
    for (let i = start + whole; i < end; i++) out[i] = x[i]! < 0 ? -scale : scale;
  });
}

/** The integer nearest to a float32 number of at most 2²² in magnitude, the even one of two; never a negative zero. */
const nearestInteger = (x: number): number => Math.fround(Math.fround(x + MAGIC) - MAGIC);

/**
 * Block by block out ← q · s, s the largest magnitude / `most`, q the integer nearest to x / s, in float32 and rounded after
 * each operation. A block with an element that is not finite becomes not a number. x, out [n]
 */
export function roundToIntegers(
  x: Float32Array,
  out: Float32Array,
  { blockSize, most }: { readonly blockSize: number; readonly most: number },
): void {
  const blocks = kernelsFor(x, out)?.blocks;
  forBlocks(x.length, blockSize, (block) => {
    const { start, end } = block;
    const largest = largestMagnitude(x, block, blocks);
    const scale = Number.isFinite(largest) ? Math.fround(largest / most) : Number.NaN;
    if (!(scale > 0)) {
      out.fill(scale, start, end);
      return;
    }
    const whole = blocks === undefined ? 0 : wholeFours(end - start);
    blocks?.roundToSteps(at(x, start), at(out, start), whole, scale, most);
    for (let i = start + whole; i < end; i++) out[i] = roundedToSteps(x[i]!, { scale, most });
  });
}

/** q · scale, q the integer nearest to x / scale, at most `most` in magnitude; 0 where the scale is. */
export function roundedToSteps(
  x: number,
  { scale, most }: { readonly scale: number; readonly most: number },
): number {
  const nearest = nearestInteger(Math.fround(x / (scale === 0 ? 1 : scale)));
  return Math.fround(Math.max(-most, Math.min(most, nearest)) * scale);
}

/** Of the least power that elements are rounded to, as a part of the largest magnitude. */
const HALVINGS = 6;
/** Below it powers may be subnormal, whose bits do not tell how often they have been halved. */
const LEAST_BY_BITS = 2 ** -100;

/**
 * Block by block out ← ± M · 2^−e, e from 0 to 6, or zero, whichever is nearest to x; M the largest magnitude. Halfway between
 * two the larger one is taken. What is below zero keeps its sign, as zero too. A block with an element that is not finite
 * becomes not a number. x, out [n]
 */
export function roundToPowers(x: Float32Array, out: Float32Array, blockSize: number): void {
  const blocks = kernelsFor(x, out)?.blocks;
  forBlocks(x.length, blockSize, (block) => {
    const { start, end } = block;
    const largest = largestMagnitude(x, block, blocks);
    if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) {
      out.fill(largest === 0 ? 0 : Number.NaN, start, end);
      return;
    }
    const whole = blocks === undefined || largest < LEAST_BY_BITS ? 0 : wholeFours(end - start);
    blocks?.roundToPowers(at(x, start), at(out, start), whole, bitsOf(largest), boundBits(largest));
    for (let i = start + whole; i < end; i++) {
      const magnitude = nearestPower(Math.abs(x[i]!), largest);
      out[i] = x[i]! < 0 ? -magnitude : magnitude;
    }
  });
}

/** The power nearest to a magnitude: halfway between two is at 1.5 times the lower one. */
function nearestPower(magnitude: number, largest: number): number {
  let power = largest;
  for (let halvings = 0; halvings < HALVINGS; halvings++, power /= 2)
    if (magnitude >= 0.75 * power) return power;
  return magnitude >= 0.5 * power ? power : 0;
}

const float = new Float32Array(1);
const floatBits = new Int32Array(float.buffer);

function bitsOf(value: number): number {
  float[0] = value;
  return floatBits[0]!;
}

/** The bits of the least float32 that is nearer to `largest` than to half of it, or halfway. */
function boundBits(largest: number): number {
  const bits = bitsOf(0.75 * largest);
  return float[0]! < 0.75 * largest ? bits + 1 : bits;
}

const MAGNITUDE = 0x7fffffff;

/** What the elements of a block are rounded to. */
export interface TwoLevels {
  /** The mean magnitude: an element above it is large. */
  readonly mean: number;
  /** The means of magnitudes that are not above it, and of those that are; float32 numbers. */
  readonly small: number;
  readonly large: number;
}

/** Of all of a vector. */
export const twoLevels = (x: Float32Array): TwoLevels =>
  levelsOf(x, { start: 0, end: x.length }, kernelsFor(x)?.blocks);

function levelsOf(x: Float32Array, block: Block, blocks: BlockFunctions | undefined): TwoLevels {
  const all = sumAbove(x, block, ALL, blocks);
  const mean = all.sum / all.count;
  // Where an element is not finite, none is above the mean.
  if (!(mean < Number.POSITIVE_INFINITY)) return { mean, small: mean, large: 0 };
  const large = sumAbove(x, block, mean, blocks);
  const smalls = all.count - large.count;
  return {
    mean,
    // At least one magnitude is not above the mean; should rounding say otherwise, none is small and its mean unused.
    small: smalls === 0 ? 0 : Math.fround((all.sum - large.sum) / smalls),
    large: large.count === 0 ? 0 : Math.fround(large.sum / large.count),
  };
}

/** A threshold that all magnitudes are above. */
const ALL = -1;

/** Σ |x| of elements above a threshold, one after the other, and how many they are. What is not a number is above any. */
function sumAbove(
  x: Float32Array,
  { start, end }: Block,
  threshold: number,
  blocks: BlockFunctions | undefined,
): { readonly sum: number; readonly count: number } {
  const whole = blocks === undefined ? 0 : wholeFours(end - start);
  const bits = bitsBelow(threshold);
  let sum = whole === 0 ? 0 : blocks!.sumAbove(at(x, start), whole, bits);
  let count = whole === 0 ? 0 : blocks!.countAbove(at(x, start), whole, bits);
  for (let i = start + whole; i < end; i++) {
    const magnitude = Math.abs(x[i]!);
    if (magnitude <= threshold) continue;
    sum += magnitude;
    count++;
  }
  return { sum, count };
}

/** Bits that those of a magnitude exceed if it is above a threshold; those of none where the threshold is not finite. */
function bitsBelow(threshold: number): number {
  if (threshold < 0) return -1;
  if (!(threshold < Number.POSITIVE_INFINITY)) return MAGNITUDE;
  const bits = bitsOf(threshold);
  return float[0]! > threshold ? bits - 1 : bits;
}

/**
 * Block by block out ← ± one of two magnitudes: the means of those above and not above the block's mean magnitude. What is below
 * zero keeps its sign. A block with an element that is not a number becomes not a number. x, out [n]
 */
export function roundToTwoLevels(x: Float32Array, out: Float32Array, blockSize: number): void {
  const blocks = kernelsFor(x, out)?.blocks;
  forBlocks(x.length, blockSize, (block) => {
    const { start, end } = block;
    const { mean, small, large } = levelsOf(x, block, blocks);
    const whole = blocks === undefined ? 0 : wholeFours(end - start);
    blocks?.writeLevels(at(x, start), at(out, start), whole, bitsBelow(mean), small, large);
    for (let i = start + whole; i < end; i++) {
      const magnitude = Math.abs(x[i]!) > mean ? large : small;
      out[i] = x[i]! < 0 ? -magnitude : magnitude;
    }
  });
}

/**
 * The indices of all elements whose bits without the sign are at least the threshold, ascending, into `out`.
 * @param done elements that have been looked at already, and how many of them were found
 * @returns how many there are; if that is more than `out` holds, the rest is missing
 */
export function collectAtLeast(
  x: Float32Array,
  threshold: number,
  out: Float32Array,
  done?: { readonly from: number; readonly count: number },
): number {
  const blocks = done === undefined ? kernelsFor(x, out)?.blocks : undefined;
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length);
  const indices = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const whole = blocks === undefined ? 0 : wholeFours(x.length);
  let count =
    blocks === undefined
      ? (done?.count ?? 0)
      : blocks.collectAtLeast(x.byteOffset, whole, threshold, out.byteOffset, out.length);
  for (let i = done?.from ?? whole; i < bits.length; i++) {
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
 * A magnitude that at least k elements reach, and not many more: what k of the largest of 4k groups reach.
 * @param scratch [4k rounded up to a multiple of four] or more
 * @returns its bits; undefined where the vectors share no memory, or are too short for that
 */
export function magnitudeReachedBy(k: number, x: Float32Array, scratch: Float32Array): number | undefined {
  const groups = wholeFours(4 * k + 3);
  const each = Math.floor(x.length / groups);
  const blocks = kernelsFor(x, scratch)?.blocks;
  if (blocks === undefined || each < 2 || k === 0) return undefined;
  blocks.largestOfGroups(x.byteOffset, each, groups, scratch.byteOffset);
  return blocks.magnitudeOfRank(scratch.byteOffset, groups, k);
}
