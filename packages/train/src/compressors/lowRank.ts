// Low-rank compression of a model's matrices: each is approximated by the product of two thin ones, which one step of power
// iteration improves. Matrices lie row by row in flat arrays; their products are @atoll/tensor's.
// Source: Vogels, Karimireddy and Jaggi, "PowerSGD" (arXiv 1905.13727), algorithm 1.

import {
  copyVector,
  expand,
  fetchVector,
  type MatrixShape,
  project,
  projectBack,
  rowsAtOnce,
  subtractProductAndAdd,
} from "@atoll/tensor/vectors";
import type { OperationNumbers, OperationVectors } from "../localTask.ts";

/**
 * Makes the columns of p orthonormal, in place, in float64 (Gram–Schmidt, applied twice to each column, since once loses
 * orthogonality among columns that nearly agree). In place of a column that depends on those before it comes a direction that
 * they lack, as from a QR decomposition: if it became zero, the power iteration would go on from zero, and the matrix would have
 * a rank less for good. p [rows, rank], rank at most rows
 */
export function orthogonalise(p: Float32Array, rank: number): void {
  const rows = p.length / rank;
  const columns = Array.from({ length: rank }, () => new Float64Array(rows));
  for (let i = 0; i < rows; i++) for (let r = 0; r < rank; r++) columns[r]![i] = p[i * rank + r]!;
  for (const [r, column] of columns.entries()) {
    const others = columns.slice(0, r);
    const before = Math.sqrt(dot(column, column));
    subtractOverlaps(column, others);
    if (Math.sqrt(dot(column, column)) <= 1e-6 * before) {
      column.fill(0);
      column[leastCovered(others, rows)] = 1;
      subtractOverlaps(column, others);
    }
    const length = Math.sqrt(dot(column, column));
    for (let i = 0; i < rows; i++) column[i]! /= length;
  }
  for (let i = 0; i < rows; i++) for (let r = 0; r < rank; r++) p[i * rank + r] = columns[r]![i]!;
}

function subtractOverlaps(column: Float64Array, others: readonly Float64Array[]): void {
  for (let pass = 0; pass < 2; pass++)
    for (const other of others) {
      const overlap = dot(column, other);
      for (let i = 0; i < column.length; i++) column[i]! -= overlap * other[i]!;
    }
}

/** The row whose unit vector has the most outside of what orthonormal columns span. */
function leastCovered(columns: readonly Float64Array[], rows: number): number {
  const covered = Array.from({ length: rows }, (_, i) =>
    columns.reduce((total, column) => total + column[i]! ** 2, 0),
  );
  return covered.indexOf(Math.min(...covered));
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** A matrix among others: where it and its thin factors lie, p [rows, r] and q [columns, r], r at most its sides. */
export interface Factored {
  readonly shape: MatrixShape;
  readonly m: Range;
  readonly p: Range;
  readonly q: Range;
}

export interface Factors {
  readonly matrices: readonly Factored[];
  /** Elements of all matrices, of all p and of all q. */
  readonly size: number;
  readonly pSize: number;
  readonly qSize: number;
}

/** How matrices lie one after another in one vector, and their factors in two others. */
export function factorsOf(shapes: readonly MatrixShape[], rank: number): Factors {
  let [size, pSize, qSize] = [0, 0, 0];
  const matrices = shapes.map((shape): Factored => {
    const { rows, columns } = shape;
    const r = Math.min(rank, rows, columns);
    const m = { start: size, end: size + rows * columns };
    const p = { start: pSize, end: pSize + r * rows };
    const q = { start: qSize, end: qSize + r * columns };
    [size, pSize, qSize] = [m.end, p.end, q.end];
    return { shape, m, p, q };
  });
  return { matrices, size, pSize, qSize };
}

export const part = (vector: Float32Array, { start, end }: Range): Float32Array =>
  vector.subarray(start, end);

/** Shapes as integers bit by bit, [matrices, 2], for the operations below. */
export function writeShapes(vector: Float32Array, shapes: readonly MatrixShape[]): void {
  integersOf(vector).set(shapes.flatMap(({ rows, columns }) => [rows, columns]));
}

/** What an operation is told of the matrices: their shapes, and the most columns of a thin one. */
function factorsAt(shapes: Float32Array, { rank }: OperationNumbers): Factors {
  const integers = integersOf(shapes);
  const each = Array.from({ length: integers.length / 2 }, (_, i) => ({
    rows: integers[2 * i]!,
    columns: integers[2 * i + 1]!,
  }));
  return factorsOf(each, rank!);
}

const integersOf = ({ buffer, byteOffset, length }: Float32Array): Int32Array =>
  new Int32Array(buffer, byteOffset, length);

/** Some of a matrix's rows, of which there are `width` elements each in a vector. */
const rowsOf = (vector: Float32Array, width: number, top: number, bottom: number): Float32Array =>
  vector.subarray(top * width, bottom * width);

/**
 * M ← (M − p ownᵀ) + g, where p and own are what M was approximated by last; projected ← M q. Of all matrices: matrices (M) and
 * gradients (g) [size, or longer], p and projected [pSize], own and q [qSize]. turned: scratch, [qSize]. Numbers: rank
 */
export function lowRankProject(vectors: OperationVectors, numbers: OperationNumbers): void {
  const turned = vectors.turned!;
  for (const { shape, ...at } of factorsAt(vectors.shapes!, numbers).matrices) {
    const { rows, columns } = shape;
    const [m, g] = [part(vectors.matrices!, at.m), part(vectors.gradients!, at.m)];
    const [p, projected] = [part(vectors.p!, at.p), part(vectors.projected!, at.p)];
    const [own, q] = [part(vectors.own!, at.q), part(vectors.q!, at.q)];
    const rank = p.length / rows;
    // Some rows at a time, so that they are still in the cache when they are multiplied.
    for (const { top, bottom } of rowsAtOnce(shape)) {
      const some = { rows: bottom - top, columns };
      const [mine, added] = [rowsOf(m, columns, top, bottom), rowsOf(g, columns, top, bottom)];
      fetchVector(mine);
      fetchVector(added);
      const before = { p: rowsOf(p, rank, top, bottom), q: own, turned };
      subtractProductAndAdd(mine, added, some, before);
      project(mine, some, { q, p: rowsOf(projected, rank, top, bottom), turned });
    }
  }
}

/** p ← mean, which is orthonormal; own ← Mᵀ p. Of all matrices: matrices (M) [size], mean and p [pSize], own [qSize]. Numbers: rank */
export function lowRankProjectBack(vectors: OperationVectors, numbers: OperationNumbers): void {
  copyVector(vectors.p!, vectors.mean!);
  for (const { shape, m, p, q } of factorsAt(vectors.shapes!, numbers).matrices)
    projectBack(part(vectors.matrices!, m), shape, part(vectors.p!, p), part(vectors.own!, q));
}

/**
 * product ← p qᵀ: of each matrix the section of that number, of as many as its rows are cut into. product [size, or longer],
 * p [pSize], q [qSize]; turned: scratch, [qSize]. Numbers: rank, section, sections
 */
export function lowRankExpand(vectors: OperationVectors, numbers: OperationNumbers): void {
  const [section, sections] = [numbers.section!, numbers.sections!];
  for (const { shape, ...at } of factorsAt(vectors.shapes!, numbers).matrices) {
    const { rows, columns } = shape;
    const [product, p] = [part(vectors.product!, at.m), part(vectors.p!, at.p)];
    const top = Math.floor((section * rows) / sections);
    const bottom = Math.floor(((section + 1) * rows) / sections);
    expand(
      rowsOf(product, columns, top, bottom),
      { rows: bottom - top, columns },
      { p: rowsOf(p, p.length / rows, top, bottom), q: part(vectors.q!, at.q), turned: vectors.turned! },
    );
  }
}
