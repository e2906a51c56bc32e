// The cosine transform of a model's vector, tensor by tensor and chunk by chunk: matrices in square-like chunks along both
// axes, vectors in runs. Source: Peng et al., "Decoupled momentum optimization" (arXiv 2411.19870), §3.2.

import type { VectorLayout } from "@atoll/tensor";
import { createTileTransform, isSimdTile, type TileTransform, tileScratch } from "@atoll/tensor/vectors";
import { type CosineTransform, cosineTransform } from "./dct.ts";

/** Where a chunk's coefficients lie. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
}

export interface ChunkedDct {
  /** Of the transformed vector: one after the other, without gaps. */
  readonly chunks: readonly Chunk[];
  /** Elements of scratch with which it is fast. */
  readonly scratch: number;
  /**
   * [P] in the layout's order -> [P] coefficients, chunk after chunk. Chunks whose sides are multiples of eight are
   * transformed in float32 where all three vectors lie in one shared memory, and all others in float64.
   */
  forward(x: Float32Array, coefficients: Float32Array, scratch?: Float32Array): void;
  /** The inverse. */
  inverse(coefficients: Float32Array, x: Float32Array, scratch?: Float32Array): void;
}

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
  const block = new Float64Array(tiles.reduce((most, { start, end }) => Math.max(most, end - start), 0));
  const turned = new Float64Array(block.length);
  return {
    chunks: tiles,
    scratch: tiles.reduce((most, tile) => Math.max(most, tileScratch(shapeOf(tile))), 0),
    forward(x, coefficients, scratch) {
      const fast = fastTransforms(x, scratch);
      for (const tile of tiles) {
        const { source, stride, along, across, start } = tile;
        const quick = fast(tile);
        if (quick !== undefined) {
          quick.forward(x, source, stride, coefficients, start);
          continue;
        }
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
        for (let i = 0; i < rows * columns; i++) coefficients[start + i] = block[i]!;
      }
    },
    inverse(coefficients, x, scratch) {
      const fast = fastTransforms(x, scratch);
      for (const tile of tiles) {
        const { source, stride, along, across, start } = tile;
        const quick = fast(tile);
        if (quick !== undefined) {
          quick.inverse(coefficients, start, x, source, stride);
          continue;
        }
        const [rows, columns] = [across.length, along.length];
        for (let i = 0; i < rows * columns; i++) block[i] = coefficients[start + i]!;
        if (rows > 1) {
          turn(block, turned, rows, columns);
          for (let c = 0; c < columns; c++) across.inverse(turned, c * rows);
          turn(turned, block, columns, rows);
        }
        for (let r = 0; r < rows; r++) {
          along.inverse(block, r * columns);
          for (let c = 0; c < columns; c++) x[source + r * stride + c] = block[r * columns + c]!;
        }
      }
    },
  };
}

const shapeOf = ({ across, along }: Tile): { readonly rows: number; readonly columns: number } => ({
  rows: across.length,
  columns: along.length,
});

/** The fast transform of a tile, if it has one; made anew only where tiles change their shape, since it has tables. */
function fastTransforms(
  x: Float32Array,
  scratch: Float32Array | undefined,
): (tile: Tile) => TileTransform | undefined {
  let last:
    | { readonly rows: number; readonly columns: number; readonly made: TileTransform | undefined }
    | undefined;
  return (tile) => {
    const shape = shapeOf(tile);
    if (scratch === undefined || !isSimdTile(shape)) return undefined;
    if (last?.rows !== shape.rows || last.columns !== shape.columns)
      last = { ...shape, made: createTileTransform(shape, scratch, x) };
    return last.made;
  };
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
