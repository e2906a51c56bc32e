// The cosine transform of tiles of any shape, in float64: where the fast one does not reach, and where no memory is shared.

import { type CosineTransform, cosineTransform } from "./dct.ts";
import type { Shape, Tile } from "./tiles.ts";

export interface ExactDct {
  /** The tile in x [rows, columns] -> coefficients [columns, rows] */
  forward(tile: Tile, x: Float32Array, coefficients: Float32Array): void;
  /** Coefficients [columns, rows] -> the tile in x [rows, columns]. @param written what becomes of each element before it is written */
  inverse(tile: Tile, coefficients: Float32Array, x: Float32Array, written: (value: number) => number): void;
}

export function exactDct(shapes: readonly Shape[]): ExactDct {
  const transforms = new Map<number, CosineTransform>();
  const transform = (length: number): CosineTransform => {
    const present = transforms.get(length) ?? cosineTransform(length);
    transforms.set(length, present);
    return present;
  };
  const longest = shapes.reduce((most, { rows, columns }) => Math.max(most, rows * columns), 0);
  const block = new Float64Array(longest);
  const transposed = new Float64Array(longest);
  return {
    forward({ source, shape }, x, coefficients) {
      const { rows, columns, stride } = shapes[shape]!;
      const [along, across] = [transform(columns), transform(rows)];
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) block[r * columns + c] = x[source + r * stride + c]!;
        along.forward(block, r * columns);
      }
      transpose(block, transposed, rows, columns);
      for (let c = 0; c < columns; c++) across.forward(transposed, c * rows);
      for (let i = 0; i < rows * columns; i++) coefficients[i] = transposed[i]!;
    },
    inverse({ source, shape }, coefficients, x, written) {
      const { rows, columns, stride } = shapes[shape]!;
      const [along, across] = [transform(columns), transform(rows)];
      for (let i = 0; i < rows * columns; i++) transposed[i] = coefficients[i]!;
      for (let c = 0; c < columns; c++) across.inverse(transposed, c * rows);
      transpose(transposed, block, columns, rows);
      for (let r = 0; r < rows; r++) {
        along.inverse(block, r * columns);
        for (let c = 0; c < columns; c++) x[source + r * stride + c] = written(block[r * columns + c]!);
      }
    },
  };
}

/** [rows, columns] -> [columns, rows] */
function transpose(from: Float64Array, to: Float64Array, rows: number, columns: number): void {
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c]!;
}
