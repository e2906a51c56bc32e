// Low-rank compression of a model's matrices: each is approximated by the product of two thin ones, which one step of power
// iteration improves. Matrices lie row by row in flat arrays; their products are @atoll/tensor's.
// Source: Vogels, Karimireddy and Jaggi, "PowerSGD" (arXiv 1905.13727), algorithm 1.

import {
  addVectors,
  expand,
  type MatrixShape,
  project,
  projectBack,
  subtractProduct,
} from "@atoll/tensor/vectors";

/**
 * Makes the columns of p orthonormal, in place, in float64 (Gram–Schmidt, applied twice to each column, since once loses orthogonality
 * among columns that nearly agree). A column that depends on those before it becomes zero. p [rows, rank]
 */
export function orthogonalise(p: Float32Array, rank: number): void {
  const rows = p.length / rank;
  const columns = Array.from({ length: rank }, () => new Float64Array(rows));
  for (let i = 0; i < rows; i++) for (let r = 0; r < rank; r++) columns[r]![i] = p[i * rank + r]!;
  for (const [r, column] of columns.entries()) {
    const before = Math.sqrt(dot(column, column));
    for (let pass = 0; pass < 2; pass++)
      for (const other of columns.slice(0, r)) {
        const overlap = dot(column, other);
        for (let i = 0; i < rows; i++) column[i]! -= overlap * other[i]!;
      }
    const length = Math.sqrt(dot(column, column));
    const scale = length > 1e-6 * before ? 1 / length : 0;
    for (let i = 0; i < rows; i++) column[i]! *= scale;
  }
  for (let i = 0; i < rows; i++) for (let r = 0; r < rank; r++) p[i * rank + r] = columns[r]![i]!;
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

type Vectors = Readonly<Record<string, Float32Array>>;
type Numbers = Readonly<Record<string, number>>;

/** One matrix with its gradient g and error e [rows, columns], and its thin factors p [rows, r] and q [columns, r]. */
export interface LowRankMatrix {
  readonly shape: MatrixShape;
  readonly g: Float32Array;
  readonly e: Float32Array;
  readonly p: Float32Array;
  readonly q: Float32Array;
}

/** Section number `section` of the rows, which are cut into `sections` of them. */
export function rowsOf(matrix: LowRankMatrix, section: number, sections: number): LowRankMatrix {
  const { shape, g, e, p, q } = matrix;
  const top = Math.floor((section * shape.rows) / sections);
  const bottom = Math.floor(((section + 1) * shape.rows) / sections);
  const part = (m: Float32Array): Float32Array => {
    const width = m.length / shape.rows;
    return m.subarray(top * width, bottom * width);
  };
  return { shape: { rows: bottom - top, columns: shape.columns }, g: part(g), e: part(e), p: part(p), q };
}

/** Matrices as an operation's vectors and numbers. @param turned scratch as long as the longest q */
export function packMatrices(
  matrices: readonly LowRankMatrix[],
  turned: Float32Array,
): { readonly vectors: Vectors; readonly numbers: Numbers } {
  const vectors: Record<string, Float32Array> = { turned };
  const numbers: Record<string, number> = { count: matrices.length };
  for (const [i, { shape, g, e, p, q }] of matrices.entries()) {
    Object.assign(vectors, { [`g${i}`]: g, [`e${i}`]: e, [`p${i}`]: p, [`q${i}`]: q });
    Object.assign(numbers, { [`rows${i}`]: shape.rows, [`columns${i}`]: shape.columns });
  }
  return { vectors, numbers };
}

const unpackMatrices = (vectors: Vectors, numbers: Numbers): readonly LowRankMatrix[] =>
  Array.from({ length: numbers.count! }, (_, i) => ({
    shape: { rows: numbers[`rows${i}`]!, columns: numbers[`columns${i}`]! },
    g: vectors[`g${i}`]!,
    e: vectors[`e${i}`]!,
    p: vectors[`p${i}`]!,
    q: vectors[`q${i}`]!,
  }));

/** e ← e + g, which is M; p ← M q. */
export function lowRankProject(vectors: Vectors, numbers: Numbers): void {
  const turned = vectors.turned!;
  for (const { shape, g, e, p, q } of unpackMatrices(vectors, numbers)) {
    const { rows, columns } = shape;
    // Some rows at a time, so that they are still in the cache when they are multiplied.
    const atOnce = Math.max(1, Math.floor(CACHED / columns));
    for (let top = 0; top < rows; top += atOnce) {
      const height = Math.min(atOnce, rows - top);
      const part = (m: Float32Array, width: number): Float32Array =>
        m.subarray(top * width, (top + height) * width);
      const own = part(e, columns);
      addVectors(own, own, part(g, columns));
      project(own, { rows: height, columns }, { q, p: part(p, p.length / rows), turned });
    }
  }
}

/** Elements of two matrices that a core has room for beside what else it needs: 2 · 200 KB. */
const CACHED = 50_000;

/** With the orthonormal p of the nodes' mean: q ← Mᵀ p; e ← M − p qᵀ. */
export function lowRankProjectBack(vectors: Vectors, numbers: Numbers): void {
  const turned = vectors.turned!;
  for (const { shape, e, p, q } of unpackMatrices(vectors, numbers)) {
    projectBack(e, shape, p, q);
    subtractProduct(e, shape, { p, q, turned });
  }
}

/** With the nodes' mean q: g ← p qᵀ. */
export function lowRankExpand(vectors: Vectors, numbers: Numbers): void {
  const turned = vectors.turned!;
  for (const { shape, g, p, q } of unpackMatrices(vectors, numbers)) expand(g, shape, { p, q, turned });
}
