// How a model's vector is cut for the cosine transform: matrices in square-like chunks along both axes, vectors in runs.
// Source: Peng et al., "Decoupled momentum optimization" (arXiv 2411.19870), §3.2.

import type { VectorLayout } from "@atoll/tensor";

/**
 * Where a chunk's coefficients lie: of all chunks one after the other, without gaps. Those of a tile [rows, columns] are
 * transposed: [columns, rows].
 */
export interface Chunk {
  readonly start: number;
  readonly end: number;
}

/** Neighbouring chunks that take the same elements of both vectors; `first` and `last` are their numbers. */
export interface Band extends Chunk {
  readonly first: number;
  readonly last: number;
}

/** Runs of as many elements as there are columns, which begin `stride` apart. */
export interface Shape {
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
}

/** A chunk and where its elements begin in the vector. */
export interface Tile extends Chunk {
  readonly source: number;
  /** Its shape's place among all shapes. */
  readonly shape: number;
}

/**
 * Each tensor as a matrix [first axis, all others], or as one row.
 * @param chunkSize longest side of a chunk; each axis is cut by its largest divisor up to that
 */
export function tilesOf(
  { entries }: VectorLayout,
  chunkSize: number,
): { readonly tiles: readonly Tile[]; readonly shapes: readonly Shape[] } {
  const tiles: Tile[] = [];
  const shapes: Shape[] = [];
  let start = 0;
  for (const { shape: sides, offset, size } of entries) {
    const height = sides.length > 1 ? sides[0]! : 1;
    const width = size / height;
    const [rows, columns] = [largestDivisor(height, chunkSize), largestDivisor(width, chunkSize)];
    const shape = placeAmong(shapes, { rows, columns, stride: width });
    for (let top = 0; top < height; top += rows)
      for (let left = 0; left < width; left += columns) {
        const end = start + rows * columns;
        tiles.push({ start, end, source: offset + top * width + left, shape });
        start = end;
      }
  }
  return { tiles, shapes };
}

function placeAmong(shapes: Shape[], { rows, columns, stride }: Shape): number {
  const present = shapes.findIndex(
    (shape) => shape.rows === rows && shape.columns === columns && shape.stride === stride,
  );
  return present === -1 ? shapes.push({ rows, columns, stride }) - 1 : present;
}

/** The largest divisor of `length` that is at most `limit`. */
export function largestDivisor(length: number, limit: number): number {
  let divisor = Math.min(length, limit);
  while (length % divisor !== 0) divisor--;
  return divisor;
}

/** Tiles side by side, which fill whole rows of their tensor, are a band. */
export function bandsOf(tiles: readonly Tile[]): readonly Band[] {
  const bands: Band[] = [];
  for (const [last, { source, start, end }] of tiles.entries()) {
    const open = bands.at(-1);
    // A band begins where as many elements lie before it in the vector as in the coefficients.
    if (open === undefined || source === start) bands.push({ start, end, first: last, last });
    else bands[bands.length - 1] = { ...open, end, last };
  }
  return bands;
}
