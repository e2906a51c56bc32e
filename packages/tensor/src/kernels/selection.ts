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

/** Marks are looked at in words of so many bytes. */
const WORD_BYTES = 4;

const markBytes = (length: number): number => WORD_BYTES * Math.ceil(length / (MARKED_TOGETHER * WORD_BYTES));

/** Elements that the marks of so many elements need. */
export const marksLength = (length: number): number => markBytes(length) / FLOAT_BYTES;

/** Elements of scratch that taking from chunks of so many elements needs. */
export const takingScratch = (longest: number): number => 3 * (longest + MARKED_TOGETHER);

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
 * elements are marked, are those of all that reach some magnitude.
 * @returns the least magnitude that was taken
 */
export type TakeLargest = (chunk: Block, k: number, to: number) => number;

/** Undefined where the vectors do not all lie in one shared memory. */
export function takingOf({ x, marks, scratch, values, places }: TakingVectors): TakeLargest | undefined {
  const blocks = kernelsFor(x, marks, scratch, values, places)?.blocks;
  if (blocks === undefined) return undefined;
  const room = scratch.length / 3;
  return (chunk, k, to) => {
    const { start, end } = chunk;
    const [target, shorts] = [at(values, to), places.byteOffset + SHORT_BYTES * to];
    const take = (): number =>
      blocks.takeMarked(
        at(x, start),
        marks.byteOffset,
        markBytes(end - start),
        k,
        scratch.byteOffset,
        room,
        target,
        shorts,
      );
    const least = take();
    if (least >= 0 || Number.isNaN(least)) return least;
    markLargest(x, chunk, { k, marks, scratch, blocks });
    return take();
  };
}

/** Marks at least k elements, and not many more where the chunk is long enough for that. */
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
): void {
  const { start, end } = block;
  const threshold = magnitudeReachedBy(k, x.subarray(start, end), scratch) ?? 0;
  const whole = wholeFours(end - start);
  blocks.markAtLeast(at(x, start), whole, threshold, marks.byteOffset);
  markRest(x, block, { threshold, marks, from: whole });
}
