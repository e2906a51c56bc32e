// Products of a matrix with thin ones. Thin matrices of four columns have WebAssembly functions (matrixFunctions.ts) where
// all vectors lie in one shared memory, and all others loops; both round to float32 at every product and every sum, in the
// same order.

import type { BlockFunctions } from "./kernels.ts";
import { fetchVector, kernelsFor } from "./vectors.ts";

/** A matrix that lies in a vector, row by row. */
export interface MatrixShape {
  readonly rows: number;
  readonly columns: number;
}

export interface RowRange {
  readonly top: number;
  readonly bottom: number;
}

type Factors = Readonly<Record<"p" | "q" | "turned", Float32Array>>;

const RANK = 4;
const { fround } = Math;

const functionsFor = (rank: number, ...vectors: readonly Float32Array[]): BlockFunctions | undefined =>
  rank === RANK ? kernelsFor(...vectors)?.blocks : undefined;

/**
 * M Q: for each of its elements four sums of every fourth product, (0 + 2) + (1 + 3), and then what is left over.
 * m [rows, columns], q [columns, rank] -> p [rows, rank]. @param turned scratch, [q.length] or longer
 */
export function project(m: Float32Array, { rows, columns }: MatrixShape, { q, p, turned }: Factors): void {
  const rank = q.length / columns;
  const functions = functionsFor(rank, m, p, q, turned);
  if (functions !== undefined) {
    functions.projectFour(m.byteOffset, rows, columns, p.byteOffset, q.byteOffset, turned.byteOffset);
    return;
  }
  const whole = columns - (columns % 4);
  const sums = new Float32Array(4);
  for (let i = 0; i < rows; i++)
    for (let r = 0; r < rank; r++) {
      const product = (j: number): number => fround(m[i * columns + j]! * q[j * rank + r]!);
      sums.fill(0);
      for (let j = 0; j < whole; j++) sums[j & 3]! += product(j);
      let total = fround(fround(sums[0]! + sums[2]!) + fround(sums[1]! + sums[3]!));
      for (let j = whole; j < columns; j++) total = fround(total + product(j));
      p[i * rank + r] = total;
    }
}

/** Elements of a matrix that a core has room for, twice, beside what else it needs: 64 KB. */
const CACHED = 16_384;

/** The most rows that a function takes together. */
const TOGETHER = 8;

/** A matrix's rows, cut into runs that stay in the cache, where so many rows together do. */
export function rowsAtOnce({ rows, columns }: MatrixShape): readonly RowRange[] {
  const atOnce = TOGETHER * Math.max(1, Math.floor(CACHED / columns / TOGETHER));
  return Array.from({ length: Math.ceil(rows / atOnce) }, (_, i) => ({
    top: i * atOnce,
    bottom: Math.min((i + 1) * atOnce, rows),
  }));
}

/** Mᵀ P, row by row. m [rows, columns], p [rows, rank] -> q [columns, rank] */
export function projectBack(
  m: Float32Array,
  { rows, columns }: MatrixShape,
  p: Float32Array,
  q: Float32Array,
): void {
  const rank = p.length / rows;
  q.fill(0);
  const functions = functionsFor(rank, m, p, q);
  if (functions !== undefined) {
    for (const { top, bottom } of rowsAtOnce({ rows, columns })) {
      const some = m.subarray(top * columns, bottom * columns);
      fetchVector(some);
      const from = p.byteOffset + top * rank * p.BYTES_PER_ELEMENT;
      functions.projectBackFour(some.byteOffset, bottom - top, columns, from, q.byteOffset);
    }
    return;
  }
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const value = m[i * columns + j]!;
      for (let r = 0; r < rank; r++) q[j * rank + r]! += fround(value * p[i * rank + r]!);
    }
}

/** P Qᵀ. p [rows, rank], q [columns, rank] -> m [rows, columns]. @param turned scratch, [q.length] or longer */
export function expand(m: Float32Array, { rows, columns }: MatrixShape, { p, q, turned }: Factors): void {
  const functions = functionsFor(p.length / rows, m, p, q, turned);
  if (functions === undefined)
    eachProduct({ rows, columns }, { p, q }, (product, at) => {
      m[at] = product;
    });
  else functions.expandFour(m.byteOffset, rows, columns, p.byteOffset, q.byteOffset, turned.byteOffset);
}

/** M ← (M − P Qᵀ) + G. m and g [rows, columns], the others as for `expand`. */
export function subtractProductAndAdd(
  m: Float32Array,
  g: Float32Array,
  { rows, columns }: MatrixShape,
  { p, q, turned }: Factors,
): void {
  const functions = functionsFor(p.length / rows, m, g, p, q, turned);
  if (functions === undefined)
    eachProduct({ rows, columns }, { p, q }, (product, at) => {
      m[at] = fround(m[at]! - product) + g[at]!;
    });
  else
    functions.subtractProductAndAddFour(
      m.byteOffset,
      rows,
      columns,
      p.byteOffset,
      q.byteOffset,
      turned.byteOffset,
      g.byteOffset,
    );
}

/** Each element of P Qᵀ, and where it lies. */
function eachProduct(
  { rows, columns }: MatrixShape,
  { p, q }: Readonly<Record<"p" | "q", Float32Array>>,
  take: (product: number, at: number) => void,
): void {
  const rank = p.length / rows;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      let sum = fround(p[i * rank]! * q[j * rank]!);
      for (let r = 1; r < rank; r++) sum = fround(sum + fround(p[i * rank + r]! * q[j * rank + r]!));
      take(sum, i * columns + j);
    }
}
