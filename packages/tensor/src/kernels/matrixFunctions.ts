// Products of a matrix with thin ones of four columns, as WebAssembly functions on byte offsets. Sums go in the order of the
// loops in matrices.ts, in float32. Several rows of the matrix are taken at a time, so that what is loaded of a thin one
// serves all of them.

import {
  assemble,
  type Frame,
  f32,
  f32x4,
  i32,
  LANES,
  type Local,
  range,
  type Value,
  v128,
} from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";

const FLOAT_BYTES = 4;
/** A row of a thin matrix, or four elements of another one. */
const FOUR_BYTES = 16;
const RANK = range(4);

const matrix = { m: "i32", rows: "i32", columns: "i32", p: "i32", q: "i32" } as const;
const withScratch = { ...matrix, turned: "i32" } as const;
type MatrixFrame = Frame<keyof typeof matrix>;

/** Where a row of the matrix begins, and the row of p that belongs to it. */
interface Row {
  readonly m: Local;
  readonly p: Local;
}

const floats = (count: Value): Value => i32.multiply(count, i32.constant(FLOAT_BYTES));
const fours = (count: Value): Value => i32.multiply(count, i32.constant(FOUR_BYTES));
/** The largest multiple of a power of two that is not above the count. */
const wholes = (count: Value, of: number): Value => i32.and(count, i32.constant(-of));

/** `body` for so many rows at a time, a power of two, and then for each that is left. */
function byRows(frame: MatrixFrame, atOnce: number, body: (rows: readonly Row[]) => readonly Code[]): Code {
  const { m, rows: height, columns, p } = frame.arguments;
  const rows = range(atOnce).map((): Row => ({ m: frame.local("i32"), p: frame.local("i32") }));
  const whole = wholes(height.get, atOnce);
  const from = (first: Value, taken: readonly Row[]): Code =>
    taken.flatMap((row, k) => {
      const index = i32.add(first, i32.constant(k));
      return [
        ...row.m.set(i32.add(m.get, floats(i32.multiply(index, columns.get)))),
        ...row.p.set(i32.add(p.get, fours(index))),
      ];
    });
  const last = rows.slice(0, 1);
  return [
    ...frame.count(whole, atOnce, (i) => [...from(i, rows), ...body(rows).flat()]),
    ...frame.count(i32.subtract(height.get, whole), 1, (i) => [
      ...from(i32.add(whole, i), last),
      ...body(last).flat(),
    ]),
  ];
}

/** `body` for every four columns, by how many bytes they lie behind the beginning of their row. */
const byFours = (
  { arguments: { columns }, count }: MatrixFrame,
  body: (at: Value) => readonly Code[],
): Code => count(floats(wholes(columns.get, 4)), FOUR_BYTES, (at) => body(at).flat());

/** The same for each column that these leave. */
function leftOver(
  { arguments: { columns }, count }: MatrixFrame,
  body: (at: Value) => readonly Code[],
): Code {
  const whole = wholes(columns.get, 4);
  return count(floats(i32.subtract(columns.get, whole)), FLOAT_BYTES, (index) =>
    body(i32.add(floats(whole), index)).flat(),
  );
}

/** So many bytes behind the beginning of q, or of what it is turned to, is what belongs to columns at `at`. */
const beside = (thin: Local, at: Value): Value => i32.add(thin.get, i32.multiply(at, i32.constant(4)));

/** q [columns, 4] -> turned [columns / 4, 4, 4]: by every four rows, each column's four elements. */
function turn(frame: Frame<keyof typeof withScratch>): Code {
  const { q, turned } = frame.arguments;
  const [a, b, c, d] = RANK.map(() => frame.local("v128")) as [Local, Local, Local, Local];
  const [first, second] = [frame.local("v128"), frame.local("v128")];
  return byFours(frame, (at) => [
    ...[a, b, c, d].map((row, j) => row.set(v128.load(beside(q, at), FOUR_BYTES * j))),
    ...[LANES.low, LANES.high].flatMap((lanes, half) => [
      first.set(v128.shuffle(a.get, b.get, lanes)), // a0 b0 a1 b1, or a2 b2 a3 b3
      second.set(v128.shuffle(c.get, d.get, lanes)),
      ...[LANES.first, LANES.last].map((part, k) =>
        v128.store(
          beside(turned, at),
          v128.shuffle(first.get, second.get, part),
          FOUR_BYTES * (2 * half + k),
        ),
      ),
    ]),
  ]);
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
 * `(m, rows, columns, p, q, turned)`: p ← M q. Every fourth column goes to a sum of its own, and those that are left over to the
 * sum of these. turned: scratch, [columns, 4]
 */
export const projectFour: WasmFunction = assemble("projectFour", withScratch, undefined, (frame) => {
  const { q, turned } = frame.arguments;
  const sums = range(2).map(() => RANK.map(() => frame.local("v128")));
  const elements = range(2).map(() => frame.local("v128"));
  const column = frame.local("v128");
  const total = elements[0]!;
  return [
    turn(frame),
    byRows(frame, 2, (rows) => [
      ...rows.flatMap((_, k) => sums[k]!.map((sum) => sum.set(v128.zero()))),
      byFours(frame, (at) => [
        ...rows.map((row, k) => elements[k]!.set(v128.load(i32.add(row.m.get, at)))),
        ...RANK.flatMap((r) => [
          column.set(v128.load(beside(turned, at), FOUR_BYTES * r)),
          ...rows.map((_, k) => {
            const sum = sums[k]![r]!;
            return sum.set(f32x4.add(sum.get, f32x4.multiply(elements[k]!.get, column.get)));
          }),
        ]),
      ]),
      ...rows.flatMap((row, k) => {
        const combined = sumsOfLanes(sums[k]!, column);
        return [
          combined.code,
          total.set(combined.sums),
          leftOver(frame, (at) => {
            const element = v128.loadSplat(i32.add(row.m.get, at));
            return [total.set(f32x4.add(total.get, f32x4.multiply(element, v128.load(beside(q, at)))))];
          }),
          v128.store(row.p.get, total.get),
        ];
      }),
    ]),
  ];
});

/** `(m, rows, columns, p, q)`: q ← q + Mᵀ p. */
export const projectBackFour: WasmFunction = assemble("projectBackFour", matrix, undefined, (frame) => {
  const { q } = frame.arguments;
  const factors = range(8).map(() => frame.local("v128"));
  const sum = frame.local("v128");
  /** Of column number j behind `at`. */
  const add = (rows: readonly Row[], at: Value, j: number): readonly Code[] => [
    sum.set(v128.load(beside(q, at), FOUR_BYTES * j)),
    ...rows.map((row, k) => {
      const element = v128.loadSplat(i32.add(row.m.get, at), FLOAT_BYTES * j);
      return sum.set(f32x4.add(sum.get, f32x4.multiply(element, factors[k]!.get)));
    }),
    v128.store(beside(q, at), sum.get, FOUR_BYTES * j),
  ];
  return [
    byRows(frame, factors.length, (rows) => [
      ...rows.map((row, k) => factors[k]!.set(v128.load(row.p.get))),
      byFours(frame, (at) => range(4).flatMap((j) => add(rows, at, j))),
      leftOver(frame, (at) => add(rows, at, 0)),
    ]),
  ];
});

/** Instructions on one element or on four. */
interface Width {
  readonly load: (address: Value) => Value;
  readonly store: (address: Value, value: Value) => Code;
  readonly add: (a: Value, b: Value) => Value;
  readonly subtract: (a: Value, b: Value) => Value;
}

const ONE: Width = f32;
const FOUR: Width = { load: v128.load, store: v128.store, add: f32x4.add, subtract: f32x4.subtract };

/** A function that writes what it makes of p qᵀ. */
const ofProduct = <P extends string = never>(
  name: string,
  more: Readonly<Record<P, "i32">>,
  made: (
    width: Width,
    product: Value,
    address: Value,
    given: Frame<P | keyof typeof matrix>["arguments"],
  ) => Value,
): WasmFunction =>
  assemble(name, { ...withScratch, ...more }, undefined, (frame) => {
    const { q, turned } = frame.arguments;
    const factors = range(2).map(() => RANK.map(() => frame.local("v128")));
    const columns = RANK.map(() => frame.local("v128"));
    const write = (width: Width, address: Value, product: Value): Code =>
      width.store(address, made(width, product, address, frame.arguments));
    return [
      turn(frame),
      byRows(frame, 2, (rows) => [
        ...rows.flatMap((row, k) =>
          RANK.map((r) => factors[k]![r]!.set(v128.loadSplat(row.p.get, FLOAT_BYTES * r))),
        ),
        byFours(frame, (at) => [
          ...columns.map((column, r) => column.set(v128.load(beside(turned, at), FOUR_BYTES * r))),
          ...rows.map((row, k) => {
            const products = RANK.map((r) => f32x4.multiply(factors[k]![r]!.get, columns[r]!.get));
            return write(
              FOUR,
              i32.add(row.m.get, at),
              products.reduce((sum, product) => f32x4.add(sum, product)),
            );
          }),
        ]),
        leftOver(frame, (at) =>
          rows.flatMap((row) => {
            const [products] = columns as [Local];
            const lanes = RANK.map((r) => f32x4.lane(products.get, r));
            return [
              products.set(f32x4.multiply(v128.load(row.p.get), v128.load(beside(q, at)))),
              write(
                ONE,
                i32.add(row.m.get, at),
                lanes.reduce((sum, product) => f32.add(sum, product)),
              ),
            ];
          }),
        ),
      ]),
    ];
  });

/** `(m, rows, columns, p, q, turned)`: M ← p qᵀ. turned: scratch, [columns, 4] */
export const expandFour: WasmFunction = ofProduct("expandFour", {}, (_, product) => product);

/** `(m, rows, columns, p, q, turned, g)`: M ← (M − p qᵀ) + G. turned: scratch, [columns, 4] */
export const subtractProductAndAddFour: WasmFunction = ofProduct(
  "subtractProductAndAddFour",
  { g: "i32" },
  ({ load, add, subtract }, product, address, { m, g }) => {
    const added = load(i32.add(i32.subtract(address, m.get), g.get));
    return add(subtract(load(address), product), added);
  },
);
