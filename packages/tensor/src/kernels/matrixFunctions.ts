// Products of a matrix with thin ones of four columns, as WebAssembly functions on byte offsets: a register holds a row of a
// thin matrix. Sums go in the order of the loops in matrices.ts, in float32.

import { assemble, f32x4, i32, type Value, v128 } from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";

const ROW_BYTES = 16;
const AT_ONCE = [0, 1, 2, 3] as const;

const floats = (count: Value): Value => i32.shiftLeft(count, i32.constant(2));
const rows = (count: Value): Value => i32.multiply(count, i32.constant(ROW_BYTES));

const matrix = { m: "i32", rows: "i32", columns: "i32", p: "i32", q: "i32" } as const;

/** `(m, rows, columns, p, q)`: p ← M q, for a multiple of four rows. */
export const projectFour: WasmFunction = assemble("projectFour", matrix, undefined, (frame) => {
  const { m, rows: height, columns, p, q } = frame.arguments;
  const sums = AT_ONCE.map(() => frame.local("v128"));
  const starts = AT_ONCE.map(() => frame.local("i32"));
  const row = frame.local("v128");
  return [
    frame.count(height.get, AT_ONCE.length, (i) => [
      ...AT_ONCE.flatMap((k): Code => {
        const index = i32.add(i, i32.constant(k));
        return [
          ...starts[k]!.set(i32.add(m.get, floats(i32.multiply(index, columns.get)))),
          ...sums[k]!.set(v128.zero()),
        ];
      }),
      ...frame.count(columns.get, 1, (j) => [
        ...row.set(v128.load(i32.add(q.get, rows(j)))),
        ...AT_ONCE.flatMap((k) => {
          const element = v128.loadSplat(i32.add(starts[k]!.get, floats(j)));
          return sums[k]!.set(f32x4.add(sums[k]!.get, f32x4.multiply(element, row.get)));
        }),
      ]),
      ...AT_ONCE.flatMap((k) => v128.store(i32.add(p.get, rows(i32.add(i, i32.constant(k)))), sums[k]!.get)),
    ]),
  ];
});

/** `(m, rows, columns, p, q)`: q ← q + Mᵀ p, for a multiple of four rows. */
export const projectBackFour: WasmFunction = assemble("projectBackFour", matrix, undefined, (frame) => {
  const { m, rows: height, columns, p, q } = frame.arguments;
  const factors = AT_ONCE.map(() => frame.local("v128"));
  const starts = AT_ONCE.map(() => frame.local("i32"));
  const sum = frame.local("v128");
  return [
    frame.count(height.get, AT_ONCE.length, (i) => [
      ...AT_ONCE.flatMap((k): Code => {
        const index = i32.add(i, i32.constant(k));
        return [
          ...starts[k]!.set(i32.add(m.get, floats(i32.multiply(index, columns.get)))),
          ...factors[k]!.set(v128.load(i32.add(p.get, rows(index)))),
        ];
      }),
      ...frame.count(columns.get, 1, (j) => [
        ...sum.set(v128.load(i32.add(q.get, rows(j)))),
        ...AT_ONCE.flatMap((k) => {
          const element = v128.loadSplat(i32.add(starts[k]!.get, floats(j)));
          return sum.set(f32x4.add(sum.get, f32x4.multiply(element, factors[k]!.get)));
        }),
        ...v128.store(i32.add(q.get, rows(j)), sum.get),
      ]),
    ]),
  ];
});

/** `(m, rows, columns, p, q)`: M ← p qᵀ for a multiple of four columns, where q is turned: [4, stride]. */
export const expandFour: WasmFunction = assemble(
  "expandFour",
  { ...matrix, stride: "i32" },
  undefined,
  (frame) => {
    const { m, rows: height, columns, p, q, stride } = frame.arguments;
    const factors = AT_ONCE.map(() => frame.local("v128"));
    const starts = AT_ONCE.map(() => frame.local("i32"));
    const start = frame.local("i32");
    const product = (k: number, at: Value): Value =>
      f32x4.multiply(factors[k]!.get, v128.load(i32.add(starts[k]!.get, at)));
    return [
      ...AT_ONCE.map((k) =>
        starts[k]!.set(i32.add(q.get, floats(i32.multiply(stride.get, i32.constant(k))))),
      ),
      frame.count(height.get, 1, (i) => [
        ...start.set(i32.add(m.get, floats(i32.multiply(i, stride.get)))),
        ...AT_ONCE.flatMap((k) =>
          factors[k]!.set(v128.loadSplat(i32.add(i32.add(p.get, rows(i)), i32.constant(4 * k)))),
        ),
        ...frame.count(floats(columns.get), 16, (at) => {
          const first = f32x4.add(product(0, at), product(1, at));
          const sum = f32x4.add(f32x4.add(first, product(2, at)), product(3, at));
          return v128.store(i32.add(start.get, at), sum);
        }),
      ]),
    ];
  },
);
