// The steps of a cosine transform along the rows of a matrix, as WebAssembly functions on byte offsets (see transforms.ts).
// Strides are in elements; widths are multiples of eight elements, numbers of rows that are written of four.

import { assemble, f32x4, i32, type Local, type Value, v128 } from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";

const FOUR = [0, 1, 2, 3] as const;
const TWO = [0, 1] as const;
const REGISTER_BYTES = 16;

const floats = (count: Value): Value => i32.shiftLeft(count, i32.constant(2));
const row = (start: Value, index: Value, stride: Value): Value =>
  i32.add(start, floats(i32.multiply(index, stride)));

/** Row n and the one as far from the end. */
const mirrored = (half: Value, n: Value): Value =>
  i32.subtract(i32.subtract(i32.shiftLeft(half, i32.constant(1)), i32.constant(1)), n);

/** `(x, stride, half, width, out)`: out[n] ← x[n] + x[2·half − 1 − n], out[half + n] ← x[n] − x[2·half − 1 − n]. */
export const foldRows: WasmFunction = assemble(
  "foldRows",
  { x: "i32", stride: "i32", half: "i32", width: "i32", out: "i32" },
  undefined,
  (frame) => {
    const { x, stride, half, width, out } = frame.arguments;
    const [near, far, sums, differences] = FOUR.map(() => frame.local("i32")) as [Local, Local, Local, Local];
    const [a, b] = TWO.map(() => frame.local("v128")) as [Local, Local];
    return [
      frame.count(half.get, 1, (n) => [
        ...near.set(row(x.get, n, stride.get)),
        ...far.set(row(x.get, mirrored(half.get, n), stride.get)),
        ...sums.set(row(out.get, n, width.get)),
        ...differences.set(row(out.get, i32.add(n, half.get), width.get)),
        ...frame.count(floats(width.get), REGISTER_BYTES, (at) => [
          ...a.set(v128.load(i32.add(near.get, at))),
          ...b.set(v128.load(i32.add(far.get, at))),
          ...v128.store(i32.add(sums.get, at), f32x4.add(a.get, b.get)),
          ...v128.store(i32.add(differences.get, at), f32x4.subtract(a.get, b.get)),
        ]),
      ]),
    ];
  },
);

/** `(x, half, width, out, stride)`: out[n] ← x[n] + x[half + n], out[2·half − 1 − n] ← x[n] − x[half + n]. */
export const unfoldRows: WasmFunction = assemble(
  "unfoldRows",
  { x: "i32", half: "i32", width: "i32", out: "i32", stride: "i32" },
  undefined,
  (frame) => {
    const { x, half, width, out, stride } = frame.arguments;
    const [even, odd, near, far] = FOUR.map(() => frame.local("i32")) as [Local, Local, Local, Local];
    const [a, b] = TWO.map(() => frame.local("v128")) as [Local, Local];
    return [
      frame.count(half.get, 1, (n) => [
        ...even.set(row(x.get, n, width.get)),
        ...odd.set(row(x.get, i32.add(n, half.get), width.get)),
        ...near.set(row(out.get, n, stride.get)),
        ...far.set(row(out.get, mirrored(half.get, n), stride.get)),
        ...frame.count(floats(width.get), REGISTER_BYTES, (at) => [
          ...a.set(v128.load(i32.add(even.get, at))),
          ...b.set(v128.load(i32.add(odd.get, at))),
          ...v128.store(i32.add(near.get, at), f32x4.add(a.get, b.get)),
          ...v128.store(i32.add(far.get, at), f32x4.subtract(a.get, b.get)),
        ]),
      ]),
    ];
  },
);

/** `(d, rows, inner, x, stride, width, out, outStride)`: out[k] ← Σ d[k, n] x[n] for k below `rows`, n below `inner`. */
export const multiplyRows: WasmFunction = assemble(
  "multiplyRows",
  {
    d: "i32",
    rows: "i32",
    inner: "i32",
    x: "i32",
    stride: "i32",
    width: "i32",
    out: "i32",
    outStride: "i32",
  },
  undefined,
  (frame) => {
    const { d, rows, inner, x, stride, width, out, outStride } = frame.arguments;
    const factors = FOUR.map(() => frame.local("i32"));
    const sums = FOUR.map(() => TWO.map(() => frame.local("v128")));
    const elements = TWO.map(() => frame.local("v128"));
    const factor = frame.local("v128");
    const address = frame.local("i32");
    const each = (f: (k: number, c: number) => Code): Code =>
      FOUR.flatMap((k) => TWO.flatMap((c) => f(k, c)));
    const column = (start: Value, at: Value, c: number): Value =>
      i32.add(i32.add(start, at), i32.constant(REGISTER_BYTES * c));
    return [
      frame.count(rows.get, FOUR.length, (first) => [
        ...FOUR.flatMap((k) => factors[k]!.set(row(d.get, i32.add(first, i32.constant(k)), inner.get))),
        ...frame.count(floats(width.get), REGISTER_BYTES * TWO.length, (at) => [
          ...each((k, c) => sums[k]![c]!.set(v128.zero())),
          ...address.set(i32.add(x.get, at)),
          ...frame.count(inner.get, 1, (n) => [
            ...TWO.flatMap((c) => elements[c]!.set(v128.load(column(address.get, i32.constant(0), c)))),
            ...address.set(i32.add(address.get, floats(stride.get))),
            ...FOUR.flatMap((k) => [
              ...factor.set(v128.loadSplat(i32.add(factors[k]!.get, floats(n)))),
              ...TWO.flatMap((c) => {
                const product = f32x4.multiply(factor.get, elements[c]!.get);
                return sums[k]![c]!.set(f32x4.add(sums[k]![c]!.get, product));
              }),
            ]),
          ]),
          ...each((k, c) => {
            const start = row(out.get, i32.add(first, i32.constant(k)), outStride.get);
            return v128.store(column(start, at, c), sums[k]![c]!.get);
          }),
        ]),
      ]),
    ];
  },
);

/** `(x, rows, columns, out)`: out ← xᵀ, for multiples of four. */
export const turnRows: WasmFunction = assemble(
  "turnRows",
  { x: "i32", rows: "i32", columns: "i32", out: "i32" },
  undefined,
  (frame) => {
    const { x, rows, columns, out } = frame.arguments;
    const lines = FOUR.map(() => frame.local("v128"));
    const pairs = FOUR.map(() => frame.local("v128"));
    const low = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
    const high = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31];
    const first = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
    const last = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31];
    const mixed = (a: Local, b: Local, bytes: readonly number[]): Value => v128.shuffle(a.get, b.get, bytes);
    return [
      frame.count(rows.get, 4, (r) =>
        frame.count(columns.get, 4, (c) => [
          ...FOUR.flatMap((k) => {
            const start = row(x.get, i32.add(r, i32.constant(k)), columns.get);
            return lines[k]!.set(v128.load(i32.add(start, floats(c))));
          }),
          ...pairs[0]!.set(mixed(lines[0]!, lines[1]!, low)),
          ...pairs[1]!.set(mixed(lines[2]!, lines[3]!, low)),
          ...pairs[2]!.set(mixed(lines[0]!, lines[1]!, high)),
          ...pairs[3]!.set(mixed(lines[2]!, lines[3]!, high)),
          ...FOUR.flatMap((k) => {
            const start = row(out.get, i32.add(c, i32.constant(k)), rows.get);
            const pair = k < 2 ? 0 : 2;
            const turned = mixed(pairs[pair]!, pairs[pair + 1]!, k % 2 === 0 ? first : last);
            return v128.store(i32.add(start, floats(r)), turned);
          }),
        ]),
      ),
    ];
  },
);
