// Sums of many vectors, each of which is rounded as its receivers would see it, as WebAssembly functions on byte offsets: for
// blocks of a multiple of sixteen elements. A vector is read once, and nothing is written but the sum. What rounding is is
// told where the loops are that do the rest (reductions.ts).

import {
  assemble,
  choose,
  type Frame,
  f32,
  f32x4,
  i32,
  i32x4,
  type Local,
  type Value,
  v128,
} from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";
import { largestLane } from "./magnitudeFunctions.ts";
import { roundedToSteps } from "./roundingFunctions.ts";

const REGISTERS = [0, 1, 2, 3] as const;
const REGISTER_BYTES = 16;
const AT_ONCE_BYTES = REGISTER_BYTES * REGISTERS.length;
const WORD = 4;

const bytesOf = (length: Value): Value => i32.multiply(length, i32.constant(WORD));

/** Walks through sixteen elements of the sum at a time, and in each place through the members' vectors. */
function overMembers(
  frame: Frame<"table" | "members" | "from" | "length" | "by" | "out">,
  /** Changes the register that holds four of a member's elements; `entry` is the member's number times four. */
  round: (four: Local, entry: Value) => Code,
): readonly Code[] {
  const { table, members, from, length, by, out } = frame.arguments;
  const sums = REGISTERS.map(() => frame.local("v128"));
  const divisor = frame.local("v128");
  const address = frame.local("i32");
  const four = frame.local("v128");
  const part = (base: Value, register: number): Value =>
    i32.add(base, i32.constant(REGISTER_BYTES * register));
  return [
    divisor.set(f32x4.splat(by.get)),
    frame.count(bytesOf(length.get), AT_ONCE_BYTES, (index) => [
      ...REGISTERS.flatMap((r) => sums[r]!.set(v128.zero())),
      ...frame.count(bytesOf(members.get), WORD, (entry) => [
        ...address.set(i32.add(i32.add(i32.load(i32.add(table.get, entry)), from.get), index)),
        ...REGISTERS.flatMap((r) => [
          ...four.set(v128.load(part(address.get, r))),
          ...round(four, entry),
          ...sums[r]!.set(f32x4.add(sums[r]!.get, four.get)),
        ]),
      ]),
      ...address.set(i32.add(out.get, index)),
      ...REGISTERS.flatMap((r) => v128.store(part(address.get, r), f32x4.divide(sums[r]!.get, divisor.get))),
    ]),
  ];
}

const PARAMETERS = {
  table: "i32",
  members: "i32",
  from: "i32",
  length: "i32",
  by: "f32",
  out: "i32",
  scales: "i32",
} as const;

/**
 * `(table, members, from, length, by, out, scales)`: out ← Σ ±scale / by, negative where a member's element is. The table has
 * the byte offsets of the members' vectors, whose block begins `from` bytes behind; `scales` [members].
 */
export const meanOfSigns: WasmFunction = assemble("meanOfSigns", PARAMETERS, undefined, (frame) => {
  const { scales } = frame.arguments;
  const signBit = i32x4.splat(i32.constant(-0x80000000));
  return overMembers(frame, (four, entry) =>
    four.set(
      v128.xor(
        v128.loadSplat(i32.add(scales.get, entry)),
        v128.and(f32x4.less(four.get, v128.zero()), signBit),
      ),
    ),
  );
});

/**
 * `(table, members, from, length, by, out, scales, most)`: out ← Σ q · scale / by, scale a member's largest magnitude / most, q
 * the integer nearest to x / scale. `scales` is scratch, [2 · members].
 */
export const meanOfIntegers: WasmFunction = assemble(
  "meanOfIntegers",
  { ...PARAMETERS, most: "f32" },
  undefined,
  (frame) => {
    const { table, members, from, length, scales, most } = frame.arguments;
    const largest = frame.local("v128");
    const address = frame.local("i32");
    const [greatest, scale] = [frame.local("f32"), frame.local("f32")];
    const bound = frame.local("v128");
    const divisors = i32.add(scales.get, bytesOf(members.get));
    const scalesOfMembers = frame.count(bytesOf(members.get), WORD, (entry) => [
      ...largest.set(v128.zero()),
      ...address.set(i32.add(i32.load(i32.add(table.get, entry)), from.get)),
      ...frame.count(bytesOf(length.get), REGISTER_BYTES, (index) =>
        largest.set(i32x4.maximum(largest.get, f32x4.absolute(v128.load(i32.add(address.get, index))))),
      ),
      ...largestLane(largest),
      ...greatest.set(f32x4.lane(largest.get, 0)),
      // Infinity less itself is not a number, as the whole block then is.
      ...scale.set(f32.add(f32.divide(greatest.get, most.get), f32.subtract(greatest.get, greatest.get))),
      ...f32.store(i32.add(scales.get, entry), scale.get),
      ...f32.store(
        i32.add(divisors, entry),
        choose(f32.equal(scale.get, f32.constant(0)), f32.constant(1), scale.get),
      ),
    ]);
    return [
      bound.set(f32x4.splat(most.get)),
      scalesOfMembers,
      ...overMembers(frame, (four, entry) =>
        four.set(
          roundedToSteps(four.get, {
            divisor: v128.loadSplat(i32.add(divisors, entry)),
            scale: v128.loadSplat(i32.add(scales.get, entry)),
            most: bound.get,
          }),
        ),
      ),
    ];
  },
);
