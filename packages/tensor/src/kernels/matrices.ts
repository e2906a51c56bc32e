// Products of a matrix with thin ones. Thin matrices of four columns have WebAssembly functions (matrixFunctions.ts) where
// all vectors lie in one shared memory, and all others loops; both round to float32 at every product and every sum, in the
// same order.

import type { BlockFunctions } from "./kernels.ts";
import { ROWS_AT_ONCE } from "./matrixFunctions.ts";
import { kernelsFor } from "./vectors.ts";

/** A matrix that lies in a vector, row by row. */
export interface MatrixShape {
  readonly rows: number;
  readonly columns: number;
}

const RANK = 4;
const { fround } = Math;
const wholes = (length: number, of: number): number => length - (length % of);

/** q [columns, rank] -> turned [rank, columns] */
function turn(q: Float32Array, columns: number, turned: Float32Array): void {
  const rank = q.length / columns;
  for (let j = 0; j < columns; j++) for (let r = 0; r < rank; r++) turned[r * columns + j] = q[j * rank + r]!;
}

/**
 * M Q: for each of its elements four sums of every fourth product, (0 + 2) + (1 + 3), and then what is left over.
 * m [rows, columns], q [columns, rank] -> p [rows, rank]. @param turned scratch, [q.length] or longer
 */
export function project(
  m: Float32Array,
  { rows, columns }: MatrixShape,
  { q, p, turned }: Readonly<Record<"q" | "p" | "turned", Float32Array>>,
): void {
  const rank = q.length / columns;
  const blocks = rank === RANK ? kernelsFor(m, p, turned)?.blocks : undefined;
  const whole = wholes(columns, 4);
  turn(q, columns, turned);
  blocks?.projectFour(m.byteOffset, rows, whole, p.byteOffset, turned.byteOffset, columns);
  const sums = new Float32Array(4);
  for (let i = 0; i < rows; i++)
    for (let r = 0; r < rank; r++) {
      const [row, column] = [i * columns, r * columns];
      if (blocks === undefined) {
        sums.fill(0);
        for (let j = 0; j < whole; j++) sums[j & 3]! += fround(m[row + j]! * turned[column + j]!);
        p[i * rank + r] = fround(sums[0]! + sums[2]!) + fround(sums[1]! + sums[3]!);
      }
      for (let j = whole; j < columns; j++) p[i * rank + r]! += fround(m[row + j]! * turned[column + j]!);
    }
}

/** Mᵀ P. m [rows, columns], p [rows, rank] -> q [columns, rank] */
export function projectBack(
  m: Float32Array,
  { rows, columns }: MatrixShape,
  p: Float32Array,
  q: Float32Array,
): void {
  const rank = p.length / rows;
  const blocks = rank === RANK ? kernelsFor(m, q, p)?.blocks : undefined;
  const whole = blocks === undefined ? 0 : wholes(rows, ROWS_AT_ONCE);
  q.fill(0);
  blocks?.projectBackFour(m.byteOffset, whole, columns, p.byteOffset, q.byteOffset);
  for (let i = whole; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const value = m[i * columns + j]!;
      for (let r = 0; r < rank; r++) q[j * rank + r]! += fround(value * p[i * rank + r]!);
    }
}

/** P Qᵀ. p [rows, rank], q [columns, rank] -> m [rows, columns]. @param turned scratch, [q.length] or longer */
export const expand = (m: Float32Array, shape: MatrixShape, factors: Factors): void =>
  ofProduct(m, shape, factors, {
    fast: (blocks) => blocks.expandFour,
    write: (_, product) => product,
  });

/** M ← M − P Qᵀ, as `expand`. */
export const subtractProduct = (m: Float32Array, shape: MatrixShape, factors: Factors): void =>
  ofProduct(m, shape, factors, {
    fast: (blocks) => blocks.subtractProductFour,
    write: (before, product) => before - product,
  });

type Factors = Readonly<Record<"p" | "q" | "turned", Float32Array>>;

function ofProduct(
  m: Float32Array,
  { rows, columns }: MatrixShape,
  { p, q, turned }: Factors,
  {
    fast,
    write,
  }: {
    readonly fast: (blocks: BlockFunctions) => BlockFunctions["expandFour"];
    readonly write: (before: number, product: number) => number;
  },
): void {
  const rank = p.length / rows;
  const blocks = rank === RANK ? kernelsFor(m, p, turned)?.blocks : undefined;
  const whole = blocks === undefined ? 0 : wholes(columns, 4);
  if (blocks !== undefined) {
    turn(q, columns, turned);
    fast(blocks)(m.byteOffset, rows, whole, p.byteOffset, turned.byteOffset, columns);
  }
  for (let i = 0; i < rows; i++)
    for (let j = whole; j < columns; j++) {
      let value = fround(p[i * rank]! * q[j * rank]!);
      for (let r = 1; r < rank; r++) value = fround(value + fround(p[i * rank + r]! * q[j * rank + r]!));
      m[i * columns + j] = write(m[i * columns + j]!, value);
    }
}
