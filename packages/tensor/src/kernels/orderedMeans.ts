// Means of many vectors, each chunk of which is added up in an order of its own, as a ring's members do. One call takes all
// chunks: a thousand vectors of a thousand chunks have a million parts, and a view of each would cost more than its sum.

import { MEAN_AT_ONCE } from "./manyVectors.ts";
import { kernelsFor } from "./vectors.ts";

export interface OrderedMeans {
  /** What is added up, each [length]. */
  readonly vectors: readonly Float32Array[];
  /** What becomes the mean, each [length]; they may be the vectors themselves. */
  readonly targets: readonly Float32Array[];
  /** Chunk c is the elements starts[c] … starts[c + 1] − 1. [chunks + 1] */
  readonly starts: Int32Array;
  /** By chunk, the vectors' numbers in the order in which they are added up. [chunks, vectors] */
  readonly orders: Int32Array;
  /** What sums are divided by, a float32 number. */
  readonly by: number;
  /** Scratch, [vectors + targets] or more. */
  readonly table: Float32Array;
}

/** Writes the means of elements [from, to), or of all. Where all vectors lie in one shared memory a SIMD kernel adds them up. */
export function writeOrderedMeans(
  { vectors, targets, starts, orders, by, table }: OrderedMeans,
  { from = 0, to = starts.at(-1)! }: { readonly from?: number; readonly to?: number } = {},
): void {
  const members = vectors.length;
  const blocks = kernelsFor(table, ...vectors, ...targets)?.blocks;
  const pointers = new Uint32Array(table.buffer, table.byteOffset, members + targets.length);
  const sums = new Float32Array(blocks === undefined ? to - from : MEAN_AT_ONCE);
  for (let chunk = 0; chunk + 1 < starts.length; chunk++) {
    const start = Math.max(from, starts[chunk]!);
    const end = Math.min(to, starts[chunk + 1]!);
    if (start >= end) continue;
    const order = orders.subarray(chunk * members, (chunk + 1) * members);
    const rest = blocks === undefined ? start : end - ((end - start) % MEAN_AT_ONCE);
    if (blocks !== undefined && rest > start) {
      for (let i = 0; i < members; i++) pointers[i] = vectors[order[i]!]!.byteOffset + 4 * start;
      for (let i = 0; i < targets.length; i++) pointers[members + i] = targets[i]!.byteOffset + 4 * start;
      blocks.meanOfMany(table.byteOffset, members, targets.length, rest - start, by);
    }
    addUp({ vectors, order, by, targets }, rest, sums.subarray(0, end - rest));
  }
}

/** The means of some elements from `start` on. @param sums scratch, as long as these are */
function addUp(
  {
    vectors,
    order,
    by,
    targets,
  }: Pick<OrderedMeans, "vectors" | "by" | "targets"> & { readonly order: Int32Array },
  start: number,
  sums: Float32Array,
): void {
  const first = vectors[order[0]!]!;
  for (let i = 0; i < sums.length; i++) sums[i] = first[start + i]!;
  for (let member = 1; member < order.length; member++) {
    const vector = vectors[order[member]!]!;
    for (let i = 0; i < sums.length; i++) sums[i]! += vector[start + i]!;
  }
  for (let i = 0; i < sums.length; i++) sums[i]! /= by;
  for (const target of targets) for (let i = 0; i < sums.length; i++) target[start + i] = sums[i]!;
}
