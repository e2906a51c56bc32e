// Products and orthogonalisation of thin matrices, row by row in flat arrays: what low-rank compression is made of.
// Source: Vogels, Karimireddy and Jaggi, "PowerSGD" (arXiv 1905.13727), algorithm 1.

/** A matrix that lies in a vector. */
export interface MatrixShape {
  readonly rows: number;
  readonly columns: number;
}

/** M Q. m [rows, columns], q [columns, rank] -> p [rows, rank] */
export function project(
  m: Float32Array,
  { rows, columns }: MatrixShape,
  q: Float32Array,
  p: Float32Array,
): void {
  const rank = q.length / columns;
  p.fill(0);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const value = m[i * columns + j]!;
      for (let r = 0; r < rank; r++) p[i * rank + r]! += value * q[j * rank + r]!;
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
  q.fill(0);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const value = m[i * columns + j]!;
      for (let r = 0; r < rank; r++) q[j * rank + r]! += value * p[i * rank + r]!;
    }
}

/** P Qᵀ. p [rows, rank], q [columns, rank] -> m [rows, columns] */
export function expand(
  p: Float32Array,
  q: Float32Array,
  { rows, columns }: MatrixShape,
  m: Float32Array,
): void {
  const rank = p.length / rows;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      let value = 0;
      for (let r = 0; r < rank; r++) value += p[i * rank + r]! * q[j * rank + r]!;
      m[i * columns + j] = value;
    }
}

/**
 * Makes the columns of p orthonormal, in place (Gram–Schmidt, applied twice to each column, since once loses orthogonality
 * among columns that nearly agree). A column that depends on those before it becomes zero. p [rows, rank]
 */
export function orthogonalise(p: Float32Array, rank: number): void {
  const rows = p.length / rank;
  for (let r = 0; r < rank; r++) {
    const before = norm(p, rank, r);
    for (let pass = 0; pass < 2; pass++)
      for (let s = 0; s < r; s++) {
        let overlap = 0;
        for (let i = 0; i < rows; i++) overlap += p[i * rank + r]! * p[i * rank + s]!;
        for (let i = 0; i < rows; i++) p[i * rank + r]! -= overlap * p[i * rank + s]!;
      }
    const length = norm(p, rank, r);
    const scale = length > 1e-6 * before ? 1 / length : 0;
    for (let i = 0; i < rows; i++) p[i * rank + r]! *= scale;
  }
}

function norm(p: Float32Array, rank: number, column: number): number {
  let total = 0;
  for (let i = column; i < p.length; i += rank) total += p[i]! ** 2;
  return Math.sqrt(total);
}
