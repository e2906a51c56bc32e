// Functions on many vectors at once, or on bytes, as WebAssembly: what elementwise kernels, whose vectors are a fixed few, do
// not cover. They take byte offsets.

import { assemble, f32x4, i32, type Value, v128 } from "./assembler.ts";
import type { WasmFunction } from "./encode.ts";

const REGISTERS = [0, 1, 2, 3] as const;
const REGISTER_BYTES = 16;
const AT_ONCE_BYTES = REGISTER_BYTES * REGISTERS.length;
const POINTER_BYTES = 4;

/** Elements that `meanOfMany` takes at a time. */
export const MEAN_AT_ONCE = 16;

/**
 * `(table, members, targets, length, by)`: the table has the byte offsets of so many vectors, and then of others or the same ones,
 * each of which becomes the sum of the first divided by `by`, added up in the table's order; for a multiple of sixteen elements.
 */
export const meanOfMany: WasmFunction = assemble(
  "meanOfMany",
  { table: "i32", members: "i32", targets: "i32", length: "i32", by: "f32" },
  undefined,
  ({ arguments: { table, members, targets, length, by }, local, count }) => {
    const sums = REGISTERS.map(() => local("v128"));
    const divisor = local("v128");
    const address = local("i32");
    const pointers = i32.multiply(members.get, i32.constant(POINTER_BYTES));
    const part = (register: number): Value => i32.add(address.get, i32.constant(REGISTER_BYTES * register));
    const pointTo = (entry: Value, index: Value) => address.set(i32.add(i32.load(entry), index));
    return [
      divisor.set(f32x4.splat(by.get)),
      count(i32.multiply(length.get, i32.constant(4)), AT_ONCE_BYTES, (index) => [
        ...pointTo(table.get, index),
        ...REGISTERS.flatMap((r) => sums[r]!.set(v128.load(part(r)))),
        ...count(i32.subtract(pointers, i32.constant(POINTER_BYTES)), POINTER_BYTES, (entry) => [
          ...pointTo(i32.add(i32.add(table.get, entry), i32.constant(POINTER_BYTES)), index),
          ...REGISTERS.flatMap((r) => sums[r]!.set(f32x4.add(sums[r]!.get, v128.load(part(r))))),
        ]),
        ...REGISTERS.flatMap((r) => sums[r]!.set(f32x4.divide(sums[r]!.get, divisor.get))),
        ...count(i32.multiply(targets.get, i32.constant(POINTER_BYTES)), POINTER_BYTES, (entry) => [
          ...pointTo(i32.add(i32.add(table.get, pointers), entry), index),
          ...REGISTERS.flatMap((r) => v128.store(part(r), sums[r]!.get)),
        ]),
      ]),
    ];
  },
);

const MEMORY_COPY = [0xfc, 0x0a, 0, 0];
const MEMORY_FILL = [0xfc, 0x0b, 0];

/** `(to, from, bytes)`: copies them. */
export const copyBytes: WasmFunction = assemble(
  "copyBytes",
  { to: "i32", from: "i32", bytes: "i32" },
  undefined,
  ({ arguments: { to, from, bytes } }) => [[...to.get, ...from.get, ...bytes.get, ...MEMORY_COPY]],
);

/** `(to, bytes)`: they become zero. */
export const clearBytes: WasmFunction = assemble(
  "clearBytes",
  { to: "i32", bytes: "i32" },
  undefined,
  ({ arguments: { to, bytes } }) => [[...to.get, ...i32.constant(0), ...bytes.get, ...MEMORY_FILL]],
);

/** Of a cache line. */
export const LINE_BYTES = 64;

/**
 * `(x, bytes)`: reads a word of each cache line, so that all of them are fetched at once, and are there when they are needed.
 * Returns something, since what is read for nothing would not be read.
 */
export const fetchLines: WasmFunction = assemble(
  "fetchLines",
  { x: "i32", bytes: "i32" },
  "i32",
  ({ arguments: { x, bytes }, local, count }) => {
    const any = local("i32");
    return [
      count(bytes.get, LINE_BYTES, (at) => any.set(i32.or(any.get, i32.load(i32.add(x.get, at))))),
      any.get,
    ];
  },
);
