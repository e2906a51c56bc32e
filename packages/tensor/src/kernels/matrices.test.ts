import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createHeap } from "../memory.ts";
import { expand, project, projectBack, rowsAtOnce, subtractProductAndAdd } from "./matrices.ts";

const size = fc.integer({ min: 1, max: 30 });

test("products with thin matrices are right, and have the same bits in shared memory as in plain arrays", () => {
  fc.assert(
    fc.property(size, size, fc.integer({ min: 1, max: 5 }), fc.nat(), (rows, columns, rank, seed) => {
      const random = createRandom(seed);
      const vector = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal());
      const m = vector(rows * columns);
      const p = vector(rows * rank);
      const q = vector(columns * rank);
      const g = vector(rows * columns);
      const heap = createHeap();
      const inPlain = (x: Float32Array): Float32Array => x.slice();
      const inHeap = (x: Float32Array): Float32Array => {
        const copy = heap.alloc(x.length);
        copy.set(x);
        return copy;
      };
      const [plain, shared] = [inPlain, inHeap].map((place) => {
        const [mp, mtp, pq] = [place(p).fill(9), place(q).fill(9), place(m).fill(9)];
        const shape = { rows, columns };
        project(place(m), shape, { q: place(q), p: mp, turned: place(q) });
        projectBack(place(m), shape, place(p), mtp);
        const factors = { p: place(p), q: place(q), turned: place(q) };
        expand(pq, shape, factors);
        const renewed = place(m);
        subtractProductAndAdd(renewed, place(g), shape, factors);
        expect([...renewed]).toEqual([...m.map((value, i) => Math.fround(value - pq[i]!) + g[i]!)]);
        return { mp: [...mp], mtp: [...mtp], pq: [...pq] };
      });
      expect(shared).toEqual(plain);
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) {
          let product = 0;
          for (let r = 0; r < rank; r++) product += p[i * rank + r]! * q[j * rank + r]!;
          expect(plain!.pq[i * columns + j]).toBeCloseTo(product, 4);
        }
      for (let r = 0; r < rank; r++) {
        for (let i = 0; i < rows; i++) {
          let product = 0;
          for (let j = 0; j < columns; j++) product += m[i * columns + j]! * q[j * rank + r]!;
          expect(plain!.mp[i * rank + r]).toBeCloseTo(product, 4);
        }
        for (let j = 0; j < columns; j++) {
          let product = 0;
          for (let i = 0; i < rows; i++) product += m[i * columns + j]! * p[i * rank + r]!;
          expect(plain!.mtp[j * rank + r]).toBeCloseTo(product, 4);
        }
      }
    }),
  );
});

test("matrices of more rows than are taken at once have the same products as in plain arrays", () => {
  const shape = { rows: 200, columns: 203 };
  const runs = rowsAtOnce(shape);
  expect(runs.length).toBeGreaterThan(2);
  expect(runs.flatMap(({ top, bottom }) => [top, bottom])).toEqual([
    0,
    ...runs.slice(1).flatMap(({ top }) => [top, top]),
    shape.rows,
  ]);
  const random = createRandom(1);
  const vector = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal());
  const [m, p] = [vector(shape.rows * shape.columns), vector(4 * shape.rows)];
  const heap = createHeap();
  const inHeap = (x: Float32Array): Float32Array => {
    const copy = heap.alloc(x.length);
    copy.set(x);
    return copy;
  };
  const plain = new Float32Array(4 * shape.columns);
  projectBack(m, shape, p, plain);
  const shared = heap.alloc(plain.length);
  projectBack(inHeap(m), shape, inHeap(p), shared);
  expect([...shared]).toEqual([...plain]);
});
