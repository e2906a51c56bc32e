// The cosine transform of a model's vector, tensor by tensor and chunk by chunk (see tiles.ts): in float32 and with SIMD where
// that reaches (fastDct.ts), in float64 elsewhere (exactDct.ts).

import type { VectorLayout } from "@atoll/tensor";
import {
  type AddedTile,
  clearVector,
  decayAndMark,
  isShared,
  marksLength,
  sharedVectors,
} from "@atoll/tensor/vectors";
import { exactDct } from "./exactDct.ts";
import { type FastDct, type FastTile, fastDct } from "./fastDct.ts";
import { type Band, bandsOf, type Chunk, type Tile, tilesOf } from "./tiles.ts";

const FLOAT_BYTES = 4;

export interface ChunkedDct {
  /** Of the transformed vector: one after the other, without gaps. */
  readonly chunks: readonly Chunk[];
  /** All chunks, cut into parts that can be transformed apart. */
  readonly bands: readonly Band[];
  /** Elements of scratch that a transform needs. */
  readonly scratch: number;
  /** Elements that the marks of a chunk need. */
  readonly marks: number;
  /** Writes what transforms look up into scratch, which they leave there: once, before it is used. */
  prepare(scratch: Float32Array): void;
  /**
   * Transforms x [P], in the layout's order, chunk after chunk, and hands each one's coefficients on while they are in the
   * cache. Chunks whose sides are at most 256, with odd factors up to 15, are transformed in float32, and all others in float64. Vectors
   * that do not all lie in one shared memory are copied to one, with the same result; only where there are no shared memories
   * all is in float64.
   */
  forward(x: Float32Array, scratch: Float32Array, use: OfChunk): void;
  /**
   * Does with each chunk's coefficients and those of `sum` what `decayAndMark` does, but for the rounding where that is fast, and
   * hands on the chunks' numbers: of as many as there are marks for, one after the other. What comes next in `use` and what came
   * before drive each other out of the processor's cache of instructions.
   */
  forwardAndAdd(
    x: Float32Array,
    scratch: Float32Array,
    sum: SpectrumSum,
    chunks: { threshold(chunk: number): number; use(chunk: number): void },
  ): void;
  /** The inverse: `fill` is handed zeros, to make them a chunk's coefficients. */
  inverse(x: Float32Array, scratch: Float32Array, fill: OfChunk, part?: InversePart): void;
}

/**
 * sum ← decay · sum + factor · coefficients, [P]. Marks, each [`ChunkedDct.marks`], are those of one chunk each, and then of the
 * chunks that follow: chunk c has those at c modulo how many there are.
 */
export interface SpectrumSum {
  readonly sum: Float32Array;
  readonly decay: number;
  readonly factor: number;
  readonly marks: readonly Float32Array[];
}

/** Of some bands, by default all; `signs` says that only signs are written: 1, 0, −1, or what is not a number. */
export interface InversePart {
  readonly bands?: readonly Band[];
  readonly signs?: boolean;
}

/** @param coefficients [the chunk's], a part of the scratch: good until this returns */
export type OfChunk = (chunk: number, coefficients: Float32Array) => void;

/** @param chunkSize longest side of a chunk; each axis is cut by its largest divisor up to that */
export function chunkedDct(layout: VectorLayout, chunkSize: number): ChunkedDct {
  const { tiles, shapes } = tilesOf(layout, chunkSize);
  const bands = bandsOf(tiles);
  const longest = tiles.reduce((most, { start, end }) => Math.max(most, end - start), 0);
  const exact = exactDct(shapes);
  const fast = fastDct(shapes, longest);
  const inShared = sharedPlaces(layout.size, longest, fast);
  const coefficientsOf = (
    tile: Tile,
    x: Float32Array,
    scratch: Float32Array,
    quick: FastTile | undefined,
  ) => {
    const coefficients = scratch.subarray(0, tile.end - tile.start);
    if (quick === undefined) exact.forward(tile, x, coefficients);
    else quick.transform.forward(placeOf(tile, x), quick.work);
    return coefficients;
  };
  return {
    chunks: tiles,
    bands,
    scratch: fast.scratch,
    marks: marksLength(longest),
    prepare: fast.prepare,
    forward(from, own, use) {
      inShared(from, own, (x, scratch) => {
        const quick = fast.on(scratch);
        for (const [chunk, tile] of tiles.entries())
          use(chunk, coefficientsOf(tile, x, scratch, quick[tile.shape]));
        return [];
      });
    },
    forwardAndAdd(from, own, { sum, decay, factor, marks }, { threshold, use }) {
      const run: Run = (x, scratch, room) => {
        const quick = fast.on(scratch);
        let unused = 0;
        for (const [chunk, tile] of tiles.entries()) {
          const { transform, work } = quick[tile.shape] ?? {};
          const least = threshold(chunk);
          const marked = marks[chunk % marks.length]!;
          if (transform?.forwardAndAdd === undefined) {
            const coefficients = coefficientsOf(tile, x, scratch, quick[tile.shape]);
            decayAndMark(sum, tile, coefficients, { decay, factor, threshold: least, marks: marked });
          } else {
            const { start, end } = tile;
            const held = room?.chunk.subarray(0, end - start);
            held?.set(sum.subarray(start, end));
            const to = held?.byteOffset ?? sum.byteOffset + FLOAT_BYTES * start;
            const marksAt = (room?.marks ?? marked).byteOffset;
            const added = { to, decay, factor, threshold: least, marks: marksAt };
            transform.forwardAndAdd(addedTile(tile, tiles[chunk + 1], x), work!, added);
            if (held !== undefined) {
              sum.set(held, start);
              marked.set(room!.marks);
            }
          }
          if (chunk + 1 - unused === marks.length || chunk + 1 === tiles.length)
            while (unused <= chunk) use(unused++);
        }
        return [];
      };
      inShared(from, own, run, sum, ...marks);
    },
    inverse(to, own, fill, { bands: chosen = bands, signs = false } = {}) {
      inShared(to, own, (x, scratch) => {
        const quick = fast.on(scratch);
        for (const { first, last } of chosen)
          for (let chunk = first; chunk <= last; chunk++) {
            const tile = tiles[chunk]!;
            const coefficients = clearVector(scratch.subarray(0, tile.end - tile.start));
            fill(chunk, coefficients);
            const { transform, work } = quick[tile.shape] ?? {};
            if (transform === undefined) exact.inverse(tile, coefficients, x, signs ? signOf : same);
            else if (signs) transform.inverseSigns(placeOf(tile, x), work!);
            else transform.inverse(placeOf(tile, x), work!);
          }
        return chosen;
      });
    },
  };
}

const same = (value: number): number => value;
/** As `TileTransform`'s, of a value that is rounded to float32 first. */
const signOf = (value: number): number => Math.sign(Math.fround(value)) + 0;

const placeOf = ({ source }: Tile, x: Float32Array): number => x.byteOffset + FLOAT_BYTES * source;

/** The next one is only a tip, and has to be of the same shape. */
const addedTile = (tile: Tile, after: Tile | undefined, x: Float32Array): AddedTile => ({
  x: placeOf(tile, x),
  next: placeOf(after?.shape === tile.shape ? after : tile, x),
});

/** Where vectors that do not lie in shared memory are copied to, one chunk of them after the other. */
interface Room {
  readonly chunk: Float32Array;
  readonly marks: Float32Array;
}

/** Tells what it has changed of x: other threads may change the rest meanwhile. */
type Run = (x: Float32Array, scratch: Float32Array, room?: Room) => readonly Chunk[];

/** Runs something on vectors that lie in shared memory, all of them: on a copy of x, where they do not. */
function sharedPlaces(
  size: number,
  longest: number,
  { scratch, prepare }: FastDct,
): (x: Float32Array, scratch: Float32Array, run: Run, ...others: readonly Float32Array[]) => void {
  let own: readonly Float32Array[] | undefined;
  return (x, given, run, ...others) => {
    if (isShared(x, given, ...others)) {
      run(x, given);
      return;
    }
    if (own === undefined) {
      own = sharedVectors(size, scratch, longest, marksLength(longest));
      prepare(own[1]!);
    }
    const [copy, work, chunk, marks] = own;
    copy!.set(x);
    const changed = run(copy!, work!, { chunk: chunk!, marks: marks! });
    for (const { start, end } of changed) x.set(copy!.subarray(start, end), start);
  };
}
