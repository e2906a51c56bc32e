// Products of a matrix with thin ones. Thin matrices of four columns have WebAssembly functions (matrixFunctions.ts) where
// all vectors lie in one shared memory, and all others loops; both round to float32 at every product and every sum, in the
// same order.

import { kernelsFor } from "./vectors.ts";

/** A matrix that lies in a vector, row by row. */
export interface MatrixShape {
  readonly rows: number;
  readonly columns: number;
}

const AT_ONCE = 4;
const wholeFours = (length: number): number => length - (length % AT_ONCE);

/** M Q. m [rows, columns], q [columns, rank] -> p [rows, rank] */
export function project(
  m: Float32Array,
  { rows, columns }: MatrixShape,
  q: Float32Array,
  p: Float32Array,
): void {
  const rank = q.length / columns;
  const blocks = rank === AT_ONCE ? kernelsFor(m, q, p)?.blocks : undefined;
  const whole = blocks === undefined ? 0 : wholeFours(rows);
  blocks?.projectFour(m.byteOffset, whole, columns, p.byteOffset, q.byteOffset);
  p.fill(0, whole * rank);
  for (let i = whole; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const value = m[i * columns + j]!;
      for (let r = 0; r < rank; r++) p[i * rank + r]! += Math.fround(value * q[j * rank + r]!);
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
  const blocks = rank === AT_ONCE ? kernelsFor(m, q, p)?.blocks : undefined;
  const whole = blocks === undefined ? 0 : wholeFours(rows);
  q.fill(0);
  blocks?.projectBackFour(m.byteOffset, whole, columns, p.byteOffset, q.byteOffset);
  for (let i = whole; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const value = m[i * columns + j]!;
      for (let r = 0; r < rank; r++) q[j * rank + r]! += Math.fround(value * p[i * rank + r]!);
    }
}

/** P Qᵀ. p [rows, rank], q [columns, rank] -> m [rows, columns]. @param turned scratch, [q.length] or longer */
export function expand(
  p: Float32Array,
  q: Float32Array,
  { rows, columns }: MatrixShape,
  m: Float32Array,
  turned: Float32Array,
): void {
  const rank = p.length / rows;
  const blocks = rank === AT_ONCE ? kernelsFor(m, p, turned)?.blocks : undefined;
  const whole = blocks === undefined ? 0 : wholeFours(columns);
  if (blocks !== undefined) {
    for (let j = 0; j < columns; j++)
      for (let r = 0; r < rank; r++) turned[r * columns + j] = q[j * rank + r]!;
    blocks.expandFour(m.byteOffset, rows, whole, p.byteOffset, turned.byteOffset, columns);
  }
  for (let i = 0; i < rows; i++)
    for (let j = whole; j < columns; j++) {
      let value = Math.fround(p[i * rank]! * q[j * rank]!);
      for (let r = 1; r < rank; r++)
        value = Math.fround(value + Math.fround(p[i * rank + r]! * q[j * rank + r]!));
      m[i * columns + j] = value;
    }
}
