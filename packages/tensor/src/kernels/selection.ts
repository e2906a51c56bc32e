// The k elements of largest magnitude of a vector's chunks, which are moved out of it. What comes into question is marked while
// it is computed, in a byte for every four elements. Where the vectors lie in one shared memory, WebAssembly functions do it
// (selectionFunctions.ts).

import { at, type Block, magnitudeReachedBy, wholeFours } from "./blocks.ts";
import type { BlockFunctions } from "./kernels.ts";
import { kernelsFor } from "./vectors.ts";

const { fround } = Math;
const FLOAT_BYTES = 4;
const SHORT_BYTES = 2;
const MAGNITUDE = 0x7fffffff;

/** How many elements a byte stands for. */
const MARKED_TOGETHER = 4;

/** Marks are whole words of so many bytes. */
const WORD_BYTES = 4;

/** How many elements more than can be marked lists of them have room for. */
const ROOM = 8;

const markBytes = (length: number): number => WORD_BYTES * Math.ceil(length / (MARKED_TOGETHER * WORD_BYTES));

/** Elements that the marks of so many elements need. */
export const marksLength = (length: number): number => markBytes(length) / FLOAT_BYTES;

/** Elements of scratch that taking from chunks of so many elements needs. */
export const takingScratch = (longest: number): number => 3 * (longest + ROOM);

/** Marks what functions have left over of a block, and nothing behind its end. */
function markRest(
  x: Float32Array,
  { start, end }: Block,
  {
    threshold,
    marks,
    from,
  }: { readonly threshold: number; readonly marks: Float32Array; readonly from: number },
): void {
  if (from === end - start && from % (MARKED_TOGETHER * WORD_BYTES) === 0) return;
  const bits = new Uint32Array(x.buffer, at(x, start), end - start);
  const bytes = new Uint8Array(marks.buffer, marks.byteOffset, markBytes(end - start));
  bytes.fill(0, from / MARKED_TOGETHER);
  for (let i = from; i < bits.length; i++)
    if ((bits[i]! & MAGNITUDE) >= threshold) bytes[i >> 2]! |= 1 << (i & 3);
}

/**
 * Of a block a ← decay · a + factor · b, in float32; and marks the elements of a whose bits without the sign are at least the
 * threshold. a [n]; b [the block's]; marks [`marksLength` of the block's] or more
 */
export function decayAndMark(
  a: Float32Array,
  block: Block,
  b: Float32Array,
  {
    decay,
    factor,
    threshold,
    marks,
  }: Readonly<Record<"decay" | "factor" | "threshold", number>> & { readonly marks: Float32Array },
): void {
  const { start, end } = block;
  const blocks = kernelsFor(a, b, marks)?.blocks;
  const whole = blocks === undefined ? 0 : wholeFours(end - start);
  const [kept, added] = [fround(decay), fround(factor)];
  blocks?.decayAndMark(at(a, start), b.byteOffset, whole, kept, added, threshold, marks.byteOffset);
  for (let i = whole; i < end - start; i++)
    a[start + i] = fround(kept * a[start + i]!) + fround(added * b[i]!);
  markRest(a, block, { threshold, marks, from: whole });
}

/** Vectors of one shared memory. */
export interface TakingVectors {
  /** [n] */
  readonly x: Float32Array;
  /** [`marksLength` of the longest chunk] */
  readonly marks: Float32Array;
  /** [`takingScratch` of the longest chunk] */
  readonly scratch: Float32Array;
  /** The values that are taken. */
  readonly values: Float32Array;
  /** Their places in their chunks. */
  readonly places: Uint16Array;
}

/**
 * Moves the k elements of largest magnitude of a chunk to `values` from `to` on, in their order, and their places to `places`; they
 * become zero. Of equal magnitudes the first are taken; what is not a number counts as larger than everything. The marks, if k
 * elements are marked, are those of all that reach some magnitude, whose bits are `marked`.
 * @returns the bits of a magnitude that is best marked from the next time, if the chunk changes little until then: `NOTHING` if
 * there is no telling
 */
export type TakeLargest = (chunk: Block, k: number, to: number, marked: number) => number;

/** Bits that no number's magnitude reaches. */
export const NOTHING: number = MAGNITUDE;

/** Undefined where the vectors do not all lie in one shared memory. */
export function takingOf({ x, marks, scratch, values, places }: TakingVectors): TakeLargest | undefined {
  const blocks = kernelsFor(x, marks, scratch, values, places)?.blocks;
  if (blocks === undefined) return undefined;
  const room = scratch.length / 3;
  const found = new Uint32Array(scratch.buffer, scratch.byteOffset, 1);
  const [xAt, marksAt, listAt] = [x.byteOffset, marks.byteOffset, scratch.byteOffset];
  const [valuesAt, placesAt] = [values.byteOffset, places.byteOffset];
  const takeMarked = ({ start, end }: Block, k: number, to: number): number =>
    blocks.takeMarked(
      xAt + FLOAT_BYTES * start,
      marksAt,
      markBytes(end - start),
      k,
      listAt,
      room,
      valuesAt + FLOAT_BYTES * to,
      placesAt + SHORT_BYTES * to,
    );
  return (chunk, k, to, marked) => {
    let threshold = marked;
    let least = takeMarked(chunk, k, to);
    if (least < 0 && marked < NOTHING) {
      threshold = lowered(marked, found[0]! / k);
      mark(x, chunk, { threshold, marks, blocks });
      least = takeMarked(chunk, k, to);
    }
    if (least < 0) {
      threshold = markLargest(x, chunk, { k, marks, scratch, blocks });
      least = takeMarked(chunk, k, to);
    }
    return k === chunk.end - chunk.start ? 0 : nextThreshold(least, threshold, found[0]! / k);
  };
}

/** How many more elements are marked than are taken, as a part of the latter, where that can be had. */
const EXCESS = 1;
/** How far below the least magnitude that was taken marks begin, as a part of it: at least and at most. */
const [LEAST_GAP, MOST_GAP] = [0.05, 0.2];

/** The bits of infinity: what is not a number has larger ones. */
const INFINITE = 0x7f800000;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** A mark that should be low enough where so many elements, as a part of those that are to be taken, were too few. */
function lowered(marked: number, found: number): number {
  bits[0] = marked;
  float[0]! *= found > 0.5 ? 0.87 : 0.75;
  return bits[0]!;
}

/**
 * Where to mark from the next time, if so many elements, as a part of those that were taken, were marked this time.
 * @param least bits of the least magnitude that was taken
 */
function nextThreshold(least: number, marked: number, found: number): number {
  if (least === 0 || least >= INFINITE) return NOTHING;
  bits[0] = marked;
  const from = float[0]!;
  bits[0] = least;
  const taken = float[0]!;
  // As if magnitudes lay there evenly.
  const gap = ((taken - from) / taken) * (EXCESS / Math.max(found - 1, 1e-3));
  float[0] = taken * (1 - Math.min(MOST_GAP, Math.max(LEAST_GAP, gap)));
  // The smallest of subnormal numbers are rounded to themselves.
  return Math.min(bits[0]!, least - 1);
}

/**
 * Marks at least k elements, and not many more where the chunk is long enough for that.
 * @returns the bits of the magnitude that all of these reach, but for the first k where that is zero
 */
function markLargest(
  x: Float32Array,
  block: Block,
  {
    k,
    marks,
    scratch,
    blocks,
  }: {
    readonly k: number;
    readonly marks: Float32Array;
    readonly scratch: Float32Array;
    readonly blocks: BlockFunctions;
  },
): number {
  const { start, end } = block;
  const reached = magnitudeReachedBy(k, x.subarray(start, end), scratch) ?? 0;
  const threshold = Math.max(reached, SMALLEST);
  mark(x, block, { threshold, marks, blocks });
  if (reached === 0) markFirst(marks, k);
  return threshold;
}

function mark(
  x: Float32Array,
  block: Block,
  {
    threshold,
    marks,
    blocks,
  }: { readonly threshold: number; readonly marks: Float32Array; readonly blocks: BlockFunctions },
): void {
  const { start, end } = block;
  const whole = wholeFours(end - start);
  blocks.markAtLeast(at(x, start), whole, threshold, marks.byteOffset);
  markRest(x, block, { threshold, marks, from: whole });
}

/** The bits of the least magnitude that is not zero. */
const SMALLEST = 1;

/** Of zeros the first are taken, and among the first k elements there are enough of them. */
function markFirst(marks: Float32Array, k: number): void {
  const bytes = new Uint8Array(marks.buffer, marks.byteOffset, marks.byteLength);
  const whole = Math.floor(k / MARKED_TOGETHER);
  bytes.fill(2 ** MARKED_TOGETHER - 1, 0, whole);
  if (k % MARKED_TOGETHER > 0) bytes[whole]! |= 2 ** (k % MARKED_TOGETHER) - 1;
}
