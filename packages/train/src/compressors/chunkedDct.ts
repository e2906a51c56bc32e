// The cosine transform of a model's vector, tensor by tensor and chunk by chunk: matrices in square-like chunks along both
// axes, vectors in runs. Source: Peng et al., "Decoupled momentum optimization" (arXiv 2411.19870), §3.2.

import type { VectorLayout } from "@atoll/tensor";
import {
  type AddedTile,
  type CoefficientSum,
  clearVector,
  createTileTransform,
  decayAndMark,
  isShared,
  isSimdTile,
  marksLength,
  sharedVectors,
  type TileTransform,
  tileScratch,
} from "@atoll/tensor/vectors";
import { type CosineTransform, cosineTransform } from "./dct.ts";

/** Where a chunk's coefficients lie. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
}

/** Neighbouring chunks that take the same elements of both vectors; `first` and `last` are their numbers. */
export interface Band extends Chunk {
  readonly first: number;
  readonly last: number;
}

export interface ChunkedDct {
  /** Of the transformed vector: one after the other, without gaps. */
  readonly chunks: readonly Chunk[];
  /** All chunks, cut into parts that can be transformed apart. */
  readonly bands: readonly Band[];
  /** Elements of scratch that a transform needs. */
  readonly scratch: number;
  /** Elements that the marks of a chunk need. */
  readonly marks: number;
  /**
   * Transforms x [P], in the layout's order, chunk after chunk, and hands each one's coefficients on while they are in the
   * cache. Chunks whose sides are at most 256, with odd factors up to 15, are transformed in float32, and all others in float64. Vectors
   * that do not all lie in one shared memory are copied to one, with the same result; only where there are no shared memories
   * all is in float64.
   */
  forward(x: Float32Array, scratch: Float32Array, use: OfChunk): void;
  /** Does with each chunk's coefficients and those of `sum` what `decayAndMark` does, and hands on the chunk's number. */
  forwardAndAdd(
    x: Float32Array,
    scratch: Float32Array,
    sum: Omit<CoefficientSum, "threshold">,
    chunks: { threshold(chunk: number): number; use(chunk: number): void },
  ): void;
  /** The inverse: `fill` is handed zeros, to make them a chunk's coefficients. */
  inverse(x: Float32Array, scratch: Float32Array, fill: OfChunk, part?: InversePart): void;
}

/** Of some bands, by default all; `signs` says that only signs are written: 1, 0, −1, or what is not a number. */
export interface InversePart {
  readonly bands?: readonly Band[];
  readonly signs?: boolean;
}

/** @param coefficients [the chunk's], a part of the scratch: good until this returns */
export type OfChunk = (chunk: number, coefficients: Float32Array) => void;

/** A chunk and where its elements lie in the vector: `rows` runs of `columns` elements, `stride` apart. */
interface Tile extends Chunk {
  readonly source: number;
  readonly stride: number;
  readonly along: CosineTransform;
  readonly across: CosineTransform;
}

/** @param chunkSize longest side of a chunk; each axis is cut by its largest divisor up to that */
export function chunkedDct(layout: VectorLayout, chunkSize: number): ChunkedDct {
  const transforms = new Map<number, CosineTransform>();
  const transform = (length: number): CosineTransform => {
    const present = transforms.get(length) ?? cosineTransform(length);
    transforms.set(length, present);
    return present;
  };
  const tiles = tilesOf(layout, chunkSize, transform);
  const longest = tiles.reduce((most, { start, end }) => Math.max(most, end - start), 0);
  const exact = exactTransform(longest);
  const scratchLength = tiles.reduce((most, tile) => Math.max(most, tileScratch(shapeOf(tile))), longest);
  const inShared = sharedPlaces(layout.size, scratchLength);
  const coefficientsOf = (tile: Tile, x: Float32Array, scratch: Float32Array, fast: FastTransforms) => {
    const coefficients = scratch.subarray(0, tile.end - tile.start);
    const quick = fast(tile);
    if (quick === undefined) exact.forward(tile, x, coefficients);
    else quick.forward(x, tile.source, tile.stride);
    return coefficients;
  };
  const bands = bandsOf(tiles);
  return {
    chunks: tiles,
    bands,
    scratch: scratchLength,
    marks: marksLength(longest),
    forward(from, own, use) {
      inShared(from, own, (x, scratch) => {
        const fast = fastTransforms(x, scratch);
        for (const [chunk, tile] of tiles.entries()) use(chunk, coefficientsOf(tile, x, scratch, fast));
      });
    },
    forwardAndAdd(from, own, sum, { threshold, use }) {
      inShared(from, own, (x, scratch) => {
        const fast = fastTransforms(x, scratch);
        const isTogether = isShared(x, scratch, sum.sum, sum.marks);
        for (const [chunk, tile] of tiles.entries()) {
          const added = { ...sum, threshold: threshold(chunk) };
          const together = isTogether ? fast(tile)?.forwardAndAdd : undefined;
          if (together === undefined)
            decayAndMark(sum.sum, tile, coefficientsOf(tile, x, scratch, fast), added);
          else together(x, placeOf(tile, tiles[chunk + 1]), added);
          use(chunk);
        }
      });
    },
    inverse(to, own, fill, { bands: chosen = bands, signs = false } = {}) {
      inShared(to, own, (x, scratch) => {
        const fast = fastTransforms(x, scratch);
        for (const { first, last } of chosen)
          for (let chunk = first; chunk <= last; chunk++) {
            const tile = tiles[chunk]!;
            const { source, stride, start, end } = tile;
            const coefficients = clearVector(scratch.subarray(0, end - start));
            fill(chunk, coefficients);
            const quick = fast(tile);
            if (quick === undefined) exact.inverse(tile, coefficients, x, signs ? signOf : same);
            else if (signs) quick.inverseSigns(x, source, stride);
            else quick.inverse(x, source, stride);
          }
        return true;
      });
    },
  };
}

/** Says whether it has changed x. */
type Run = (x: Float32Array, scratch: Float32Array) => boolean | undefined;

/** Runs something on vectors that lie in shared memory: on copies, where they do not. */
function sharedPlaces(
  size: number,
  scratch: number,
): (x: Float32Array, scratch: Float32Array, run: Run) => void {
  let own: readonly Float32Array[] | undefined;
  return (x, given, run) => {
    if (isShared(x, given)) {
      run(x, given);
      return;
    }
    own ??= sharedVectors(size, scratch);
    const [copy, work] = own;
    copy!.set(x);
    if (run(copy!, work!)) x.set(copy!);
  };
}

interface ExactTransform {
  forward(tile: Tile, x: Float32Array, coefficients: Float32Array): void;
  inverse(tile: Tile, coefficients: Float32Array, x: Float32Array, written: (value: number) => number): void;
}

const same = (value: number): number => value;
/** As `TileTransform`'s, of a value that is rounded to float32 first. */
const signOf = (value: number): number => Math.sign(Math.fround(value)) + 0;

/** The transform of any tile, in float64. */
function exactTransform(longest: number): ExactTransform {
  const block = new Float64Array(longest);
  const turned = new Float64Array(longest);
  return {
    forward({ source, stride, along, across }, x, coefficients) {
      const [rows, columns] = [across.length, along.length];
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) block[r * columns + c] = x[source + r * stride + c]!;
        along.forward(block, r * columns);
      }
      if (rows > 1) {
        turn(block, turned, rows, columns);
        for (let c = 0; c < columns; c++) across.forward(turned, c * rows);
        turn(turned, block, columns, rows);
      }
      for (let i = 0; i < rows * columns; i++) coefficients[i] = block[i]!;
    },
    inverse({ source, stride, along, across }, coefficients, x, written) {
      const [rows, columns] = [across.length, along.length];
      for (let i = 0; i < rows * columns; i++) block[i] = coefficients[i]!;
      if (rows > 1) {
        turn(block, turned, rows, columns);
        for (let c = 0; c < columns; c++) across.inverse(turned, c * rows);
        turn(turned, block, columns, rows);
      }
      for (let r = 0; r < rows; r++) {
        along.inverse(block, r * columns);
        for (let c = 0; c < columns; c++) x[source + r * stride + c] = written(block[r * columns + c]!);
      }
    },
  };
}

const shapeOf = ({ across, along }: Tile): { readonly rows: number; readonly columns: number } => ({
  rows: across.length,
  columns: along.length,
});

/** The next one is only a tip, and has to be of the same shape. */
const placeOf = (tile: Tile, next: Tile | undefined): AddedTile => ({
  start: tile.source,
  stride: tile.stride,
  to: tile.start,
  next: next !== undefined && isAlike(next, tile) ? next.source : tile.source,
});

const isAlike = (a: Tile, b: Tile): boolean =>
  a.stride === b.stride && a.along === b.along && a.across === b.across;

/** The fast transform of a tile, if it has one. */
type FastTransforms = (tile: Tile) => TileTransform | undefined;

/** Transforms are made anew only where tiles change their shape, since they have tables. */
function fastTransforms(x: Float32Array, scratch: Float32Array): FastTransforms {
  let last:
    | { readonly rows: number; readonly columns: number; readonly made: TileTransform | undefined }
    | undefined;
  return (tile) => {
    const shape = shapeOf(tile);
    if (!isSimdTile(shape)) {
      last = undefined; // Its tables have been overwritten.
      return undefined;
    }
    if (last?.rows !== shape.rows || last.columns !== shape.columns)
      last = { ...shape, made: createTileTransform(shape, scratch, x) };
    return last.made;
  };
}

/** Tiles side by side, which fill whole rows of their tensor, are a band. */
function bandsOf(tiles: readonly Tile[]): readonly Band[] {
  const bands: Band[] = [];
  for (const [last, { source, start, end }] of tiles.entries()) {
    const open = bands.at(-1);
    // A band begins where as many elements lie before it in the vector as in the coefficients.
    if (open === undefined || source === start) bands.push({ start, end, first: last, last });
    else bands[bands.length - 1] = { ...open, end, last };
  }
  return bands;
}

/** Each tensor as a matrix [first axis, all others], or as one row. */
function tilesOf(
  { entries }: VectorLayout,
  chunkSize: number,
  transform: (length: number) => CosineTransform,
): readonly Tile[] {
  const tiles: Tile[] = [];
  let start = 0;
  for (const { shape, offset, size } of entries) {
    const height = shape.length > 1 ? shape[0]! : 1;
    const width = size / height;
    const rows = largestDivisor(height, chunkSize);
    const columns = largestDivisor(width, chunkSize);
    for (let top = 0; top < height; top += rows)
      for (let left = 0; left < width; left += columns) {
        const end = start + rows * columns;
        const source = offset + top * width + left;
        tiles.push({ start, end, source, stride: width, along: transform(columns), across: transform(rows) });
        start = end;
      }
  }
  return tiles;
}

/** The largest divisor of `length` that is at most `limit`. */
export function largestDivisor(length: number, limit: number): number {
  let divisor = Math.min(length, limit);
  while (length % divisor !== 0) divisor--;
  return divisor;
}

/** [rows, columns] -> [columns, rows] */
function turn(from: Float64Array, to: Float64Array, rows: number, columns: number): void {
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c]!;
}
