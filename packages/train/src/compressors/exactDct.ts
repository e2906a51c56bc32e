// The cosine transform of tiles of any shape, in float64: where the fast one does not reach, and where no memory is shared.

import { type CosineTransform, cosineTransform } from "./dct.ts";
import type { Shape, Tile } from "./tiles.ts";

export interface ExactDct {
  /** Elements of the tile in x -> its coefficients */
  forward(tile: Tile, x: Float32Array, coefficients: Float32Array): void;
  /** @param written what becomes of each element before it is written */
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
  const turned = new Float64Array(longest);
  return {
    forward({ source, shape }, x, coefficients) {
      const { rows, columns, stride } = shapes[shape]!;
      const [along, across] = [transform(columns), transform(rows)];
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) block[r * columns + c] = x[source + r * stride + c]!;
        along.forward(block, r * columns);
      }
      turn(block, turned, rows, columns);
      for (let c = 0; c < columns; c++) across.forward(turned, c * rows);
      for (let i = 0; i < rows * columns; i++) coefficients[i] = turned[i]!;
    },
    inverse({ source, shape }, coefficients, x, written) {
      const { rows, columns, stride } = shapes[shape]!;
      const [along, across] = [transform(columns), transform(rows)];
      for (let i = 0; i < rows * columns; i++) turned[i] = coefficients[i]!;
      for (let c = 0; c < columns; c++) across.inverse(turned, c * rows);
      turn(turned, block, columns, rows);
      for (let r = 0; r < rows; r++) {
        along.inverse(block, r * columns);
        for (let c = 0; c < columns; c++) x[source + r * stride + c] = written(block[r * columns + c]!);
      }
    },
  };
}

/** [rows, columns] -> [columns, rows] */
function turn(from: Float64Array, to: Float64Array, rows: number, columns: number): void {
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c]!;
}
