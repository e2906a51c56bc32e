// Products of a matrix with thin ones of four columns, as WebAssembly functions on byte offsets. Sums go in the order of the
// loops in matrices.ts, in float32.

import { assemble, type Frame, f32x4, i32, LANES, type Local, type Value, v128 } from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";

const ROW_BYTES = 16;
const RANK = [0, 1, 2, 3] as const;
/** Rows that `projectBackFour` takes at a time: a row of q is loaded and stored once for all of them. */
const ROWS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
export const ROWS_AT_ONCE: number = ROWS.length;

const floats = (count: Value): Value => i32.shiftLeft(count, i32.constant(2));
const rowsOf = (count: Value): Value => i32.multiply(count, i32.constant(ROW_BYTES));

const matrix = { m: "i32", rows: "i32", columns: "i32", p: "i32", q: "i32" } as const;
const turnedMatrix = { ...matrix, stride: "i32" } as const;

/** Where each of the four columns of a turned thin matrix begins, [4, stride]. */
function columnsOf(frame: Frame<keyof typeof turnedMatrix>): {
  readonly begin: Code;
  readonly starts: readonly Local[];
} {
  const { q, stride } = frame.arguments;
  const starts = RANK.map(() => frame.local("i32"));
  const begin = RANK.flatMap((r) =>
    starts[r]!.set(i32.add(q.get, floats(i32.multiply(stride.get, i32.constant(r))))),
  );
  return { begin, starts };
}

/** Of four vectors, the sum of the lanes of each: (0 + 2) + (1 + 3). The vectors are used up. */
function sumsOfLanes(
  [a, b, c, d]: readonly Local[],
  spare: Local,
): { readonly code: Code; readonly sums: Value } {
  const code = [
    spare.set(v128.shuffle(a!.get, b!.get, LANES.high)), // a2 b2 a3 b3
    a!.set(v128.shuffle(a!.get, b!.get, LANES.low)), // a0 b0 a1 b1
    a!.set(f32x4.add(a!.get, spare.get)), // (0 + 2) of a, b, (1 + 3) of a, b
    spare.set(v128.shuffle(c!.get, d!.get, LANES.high)),
    c!.set(v128.shuffle(c!.get, d!.get, LANES.low)),
    c!.set(f32x4.add(c!.get, spare.get)),
  ].flat();
  const sums = f32x4.add(v128.shuffle(a!.get, c!.get, LANES.first), v128.shuffle(a!.get, c!.get, LANES.last));
  return { code, sums };
}

/**
 * `(m, rows, columns, p, q, stride)`: p ← M q, of a multiple of four columns of M, whose rows lie `stride` apart; q is turned,
 * [4, stride]. Every fourth column goes to a sum of its own.
 */
export const projectFour: WasmFunction = assemble("projectFour", turnedMatrix, undefined, (frame) => {
  const { m, rows, columns, p, stride } = frame.arguments;
  const { begin, starts } = columnsOf(frame);
  const sums = RANK.map(() => frame.local("v128"));
  const [four, spare] = [frame.local("v128"), frame.local("v128")];
  const start = frame.local("i32");
  const combined = sumsOfLanes(sums, spare);
  return [
    begin,
    frame.count(rows.get, 1, (i) => [
      ...start.set(i32.add(m.get, floats(i32.multiply(i, stride.get)))),
      ...sums.flatMap((sum) => sum.set(v128.zero())),
      ...frame.count(floats(columns.get), ROW_BYTES, (at) => [
        ...four.set(v128.load(i32.add(start.get, at))),
        ...RANK.flatMap((r) => {
          const column = v128.load(i32.add(starts[r]!.get, at));
          return sums[r]!.set(f32x4.add(sums[r]!.get, f32x4.multiply(four.get, column)));
        }),
      ]),
      ...combined.code,
      ...v128.store(i32.add(p.get, rowsOf(i)), combined.sums),
    ]),
  ];
});

/** `(m, rows, columns, p, q)`: q ← q + Mᵀ p, for a multiple of ROWS_AT_ONCE rows. */
export const projectBackFour: WasmFunction = assemble("projectBackFour", matrix, undefined, (frame) => {
  const { m, rows: height, columns, p, q } = frame.arguments;
  const factors = ROWS.map(() => frame.local("v128"));
  const starts = ROWS.map(() => frame.local("i32"));
  const sum = frame.local("v128");
  return [
    frame.count(height.get, ROWS.length, (i) => [
      ...ROWS.flatMap((k): Code => {
        const index = i32.add(i, i32.constant(k));
        return [
          ...starts[k]!.set(i32.add(m.get, floats(i32.multiply(index, columns.get)))),
          ...factors[k]!.set(v128.load(i32.add(p.get, rowsOf(index)))),
        ];
      }),
      ...frame.count(columns.get, 1, (j) => [
        ...sum.set(v128.load(i32.add(q.get, rowsOf(j)))),
        ...ROWS.flatMap((k) => {
          const element = v128.loadSplat(i32.add(starts[k]!.get, floats(j)));
          return sum.set(f32x4.add(sum.get, f32x4.multiply(element, factors[k]!.get)));
        }),
        ...v128.store(i32.add(q.get, rowsOf(j)), sum.get),
      ]),
    ]),
  ];
});

/** A function that makes something of p qᵀ, four columns at a time, for a multiple of four columns; q is turned: [4, stride]. */
const ofProduct = (name: string, write: (product: Value, address: Value) => Code): WasmFunction =>
  assemble(name, turnedMatrix, undefined, (frame) => {
    const { m, rows: height, columns, p, stride } = frame.arguments;
    const { begin, starts } = columnsOf(frame);
    const factors = RANK.map(() => frame.local("v128"));
    const start = frame.local("i32");
    const product = (r: number, at: Value): Value =>
      f32x4.multiply(factors[r]!.get, v128.load(i32.add(starts[r]!.get, at)));
    return [
      begin,
      frame.count(height.get, 1, (i) => [
        ...start.set(i32.add(m.get, floats(i32.multiply(i, stride.get)))),
        ...RANK.flatMap((r) =>
          factors[r]!.set(v128.loadSplat(i32.add(i32.add(p.get, rowsOf(i)), i32.constant(4 * r)))),
        ),
        ...frame.count(floats(columns.get), ROW_BYTES, (at) => {
          const first = f32x4.add(product(0, at), product(1, at));
          return write(f32x4.add(f32x4.add(first, product(2, at)), product(3, at)), i32.add(start.get, at));
        }),
      ]),
    ];
  });

/** `(m, rows, columns, p, q, stride)`: M ← p qᵀ. */
export const expandFour: WasmFunction = ofProduct("expandFour", (product, address) =>
  v128.store(address, product),
);

/** `(m, rows, columns, p, q, stride)`: M ← M − p qᵀ. */
export const subtractProductFour: WasmFunction = ofProduct("subtractProductFour", (product, address) =>
  v128.store(address, f32x4.subtract(v128.load(address), product)),
);
