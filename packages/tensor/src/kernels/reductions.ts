// What the members of an encoded all-reduce add up: each vector rounded block by block as blocks.ts does it, the sum divided,
// and the same once more with the result. Blocks of a multiple of sixteen elements that lie in one shared memory are left to
// WebAssembly functions (encodedSums.ts), others to loops, with the same bits.

import {
  at,
  type Block,
  forBlocks,
  largestMagnitude,
  roundedToSteps,
  roundToIntegers,
  roundToSigns,
} from "./blocks.ts";
import type { BlockFunctions } from "./kernels.ts";
import { kernelsFor } from "./vectors.ts";

const AT_ONCE = 16;
const FLOAT_BYTES = 4;
const { fround } = Math;

export interface EncodedMean {
  /** The members' vectors, in the order in which they are added. Each [n] */
  readonly vectors: readonly Float32Array[];
  /** [n] */
  readonly out: Float32Array;
  readonly blockSize: number;
  /** What the sum is divided by: a float32 number. */
  readonly by: number;
  /** Scratch, [4 · vectors] or more. */
  readonly scratch: Float32Array;
}

/** Where a function finds the members' vectors, and where it has room for their scales. */
interface Places {
  readonly blocks: BlockFunctions;
  readonly table: number;
  readonly scales: Float32Array;
}

function placesOf({ vectors, out, scratch }: EncodedMean): Places | undefined {
  const blocks = kernelsFor(scratch, out, ...vectors)?.blocks;
  if (blocks === undefined) return undefined;
  const table = new Uint32Array(scratch.buffer, scratch.byteOffset, vectors.length);
  for (const [i, { byteOffset }] of vectors.entries()) table[i] = byteOffset;
  return { blocks, table: scratch.byteOffset, scales: scratch.subarray(vectors.length) };
}

/** Signs times a scale: `scales` has those of each member, block after block. */
export function meanOfSigns(mean: EncodedMean, scales: readonly Float32Array[]): void {
  const { vectors, out, blockSize, by } = mean;
  const places = placesOf(mean);
  forBlocks(out.length, blockSize, (block) => {
    const { start, end } = block;
    const of = scales.map((ofMember) => ofMember[start / blockSize]!);
    const whole = places === undefined ? 0 : end - start - ((end - start) % AT_ONCE);
    if (places !== undefined) {
      const { blocks, table } = places;
      places.scales.set(of);
      const { byteOffset } = places.scales;
      blocks.meanOfSigns(table, vectors.length, FLOAT_BYTES * start, whole, by, at(out, start), byteOffset);
    }
    for (let i = start + whole; i < end; i++) {
      let sum = 0;
      for (const [m, vector] of vectors.entries()) sum = fround(sum + (vector[i]! < 0 ? -of[m]! : of[m]!));
      out[i] = sum / by;
    }
  });
  roundToSigns(out, out, blockSize);
}

/** Integers up to `most` in magnitude times a scale. */
export function meanOfIntegers(mean: EncodedMean, most: number): void {
  const { vectors, out, blockSize, by } = mean;
  const places = placesOf(mean);
  forBlocks(out.length, blockSize, (block) => {
    const { start, end } = block;
    if (places === undefined || (end - start) % AT_ONCE > 0) {
      addIntegers(mean, block, most);
      return;
    }
    const { blocks, table, scales } = places;
    const from = FLOAT_BYTES * start;
    const { byteOffset } = scales;
    blocks.meanOfIntegers(table, vectors.length, from, end - start, by, at(out, start), byteOffset, most);
  });
  roundToIntegers(out, out, { blockSize, most });
}

function addIntegers({ vectors, out, by }: EncodedMean, block: Block, most: number): void {
  const { start, end } = block;
  out.fill(0, start, end);
  for (const vector of vectors) {
    const largest = largestMagnitude(vector, block, undefined);
    const scale = Number.isFinite(largest) ? fround(largest / most) : Number.NaN;
    for (let i = start; i < end; i++) out[i]! += roundedToSteps(vector[i]!, { scale, most });
  }
  for (let i = start; i < end; i++) out[i]! /= by;
}
