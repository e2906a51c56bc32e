// The magnitudes of a block of elements, added up and searched, as WebAssembly functions: they take byte offsets and lengths that
// are multiples of four elements, and leave the rest of a block to the caller (see blocks.ts).

import {
  assemble,
  type Frame,
  f32x4,
  f64,
  f64x2,
  i32,
  i32x4,
  type Local,
  range,
  upper,
  type Value,
  v128,
  when,
} from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";

const FLOAT_BYTES = 4;
const PER_REGISTER = 4;
export const bytesOf = (length: Value): Value => i32.multiply(length, i32.constant(FLOAT_BYTES));

/** Four magnitudes become the largest of them, in all lanes: bits without the sign have the order of magnitudes. */
export const largestLane = (magnitudes: Local): Code =>
  [
    [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7],
    [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11],
  ].flatMap((bytes) =>
    magnitudes.set(i32x4.maximum(magnitudes.get, v128.shuffle(magnitudes.get, magnitudes.get, bytes))),
  );

/** `(x, length) => max |x|`, not a number if an element is none. */
export const largestMagnitude: WasmFunction = assemble(
  "largestMagnitude",
  { x: "i32", length: "i32" },
  "f32",
  ({ arguments: { x, length }, local, count }) => {
    const most = local("v128");
    return [
      count(bytesOf(length.get), 16, (index) =>
        most.set(i32x4.maximum(most.get, f32x4.absolute(v128.load(i32.add(x.get, index))))),
      ),
      largestLane(most),
      f32x4.lane(most.get, 0),
    ];
  },
);

/** `(x, length) => Σ |x|` in float64: four sums of every fourth element, then (0 + 2) + (1 + 3). */
export const sumOfMagnitudes: WasmFunction = assemble(
  "sumOfMagnitudes",
  { x: "i32", length: "i32" },
  "f64",
  ({ arguments: { x, length }, local, count }) => {
    const four = local("v128");
    const low = local("v128");
    const high = local("v128");
    return [
      count(bytesOf(length.get), 16, (index) => [
        ...four.set(f32x4.absolute(v128.load(i32.add(x.get, index)))),
        ...low.set(f64x2.add(low.get, f64x2.ofFloats(four.get))),
        ...high.set(f64x2.add(high.get, f64x2.ofFloats(upper(four.get, four.get)))),
      ]),
      low.set(f64x2.add(low.get, high.get)),
      f64.add(f64x2.lane(low.get, 0), f64x2.lane(low.get, 1)),
    ];
  },
);

/** Writes down the places of elements whose bits without the sign are at least a threshold, as long as there is room. */
export function collecting(
  frame: Pick<Frame<string>, "local">,
  { threshold, out, capacity }: Readonly<Record<"threshold" | "out" | "capacity", Local>>,
): {
  readonly begin: Code;
  /** @param index of the first of all these fours, in bytes */
  take(fours: readonly Local[], index: Value): Code;
  readonly count: Value;
} {
  const thresholds = frame.local("v128");
  const found = frame.local("v128");
  const total = frame.local("i32");
  const magnitude = i32x4.splat(i32.constant(0x7fffffff));
  const takeLane = (index: Value, element: number): Code =>
    when(i32x4.lane(found.get, element % PER_REGISTER), [
      ...when(
        i32.lessUnsigned(total.get, capacity.get),
        i32.store(
          i32.add(out.get, bytesOf(total.get)),
          // A quarter of the byte offset, which is the element's number.
          i32.add([...index, ...i32.constant(2), 0x76], i32.constant(element)),
        ),
      ),
      ...total.set(i32.add(total.get, i32.constant(1))),
    ]);
  const reaches = (four: Value): Value => i32x4.greaterOrEqual(v128.and(four, magnitude), thresholds.get);
  const takeFour = (four: Local, number: number, index: Value): Code => [
    ...found.set(reaches(four.get)),
    ...when(
      v128.anyTrue(found.get),
      range(PER_REGISTER).flatMap((lane) => takeLane(index, PER_REGISTER * number + lane)),
    ),
  ];
  return {
    begin: thresholds.set(i32x4.splat(threshold.get)),
    take: (fours, index) => [
      // Few elements reach the threshold: one question for all fours.
      ...found.set(fours.map(({ get }) => reaches(get)).reduce((any, next) => v128.or(any, next))),
      ...when(
        v128.anyTrue(found.get),
        fours.flatMap((four, number) => takeFour(four, number, index)),
      ),
    ],
    count: total.get,
  };
}

/** Fours that are looked at together where elements are collected. */
const FOURS = 4;

/**
 * Goes through so many elements by sixteen, and through what is left over by four: `each` computes the fours in these locals,
 * which are then looked at.
 */
export function collectInFours(
  frame: Frame<string>,
  {
    length,
    take,
  }: { readonly length: Local; readonly take: (fours: readonly Local[], index: Value) => Code },
  each: (four: Local, index: Value) => Code,
): Code {
  const fours = range(FOURS).map(() => frame.local("v128"));
  const whole = frame.local("i32");
  const rest = frame.local("i32");
  const at = (index: Value, number: number): Value => i32.add(index, i32.constant(16 * number));
  return [
    ...whole.set(i32.and(bytesOf(length.get), i32.constant(-16 * FOURS))),
    ...frame.count(whole.get, 16 * FOURS, (index) => [
      ...fours.flatMap((four, number) => each(four, at(index, number))),
      ...take(fours, index),
    ]),
    ...frame.count(i32.subtract(bytesOf(length.get), whole.get), 16, (index) => [
      ...rest.set(i32.add(whole.get, index)),
      ...each(fours[0]!, rest.get),
      ...take([fours[0]!], rest.get),
    ]),
  ];
}

/**
 * `(x, length, threshold, out, capacity) => count`: writes the indices of elements whose bits without the sign are at
 * least the threshold, ascending, and none beyond the capacity; counts all of them.
 */
export const collectAtLeast: WasmFunction = assemble(
  "collectAtLeast",
  { x: "i32", length: "i32", threshold: "i32", out: "i32", capacity: "i32" },
  "i32",
  (frame) => {
    const { x, length, threshold, out, capacity } = frame.arguments;
    const found = collecting(frame, { threshold, out, capacity });
    return [
      found.begin,
      collectInFours(frame, { length, take: found.take }, (four, index) =>
        four.set(v128.load(i32.add(x.get, index))),
      ),
      found.count,
    ];
  },
);

/** `(x, each, groups, out)`: out[g] ← the largest of the bits without the sign of x[g], x[g + groups], … (`each` of them). */
export const largestOfGroups: WasmFunction = assemble(
  "largestOfGroups",
  { x: "i32", each: "i32", groups: "i32", out: "i32" },
  undefined,
  ({ arguments: { x, each, groups, out }, local, count }) => {
    const largest = local("v128");
    const address = local("i32");
    const magnitude = i32x4.splat(i32.constant(0x7fffffff));
    return [
      count(bytesOf(groups.get), 16, (index) => [
        ...largest.set(v128.zero()),
        ...address.set(i32.add(x.get, index)),
        ...count(each.get, 1, () => [
          ...largest.set(i32x4.maximum(largest.get, v128.and(v128.load(address.get), magnitude))),
          ...address.set(i32.add(address.get, bytesOf(groups.get))),
        ]),
        ...v128.store(i32.add(out.get, index), largest.get),
      ]),
    ];
  },
);

/** All bits of those of four magnitudes whose bits exceed a threshold. */
export const above = (four: Local, threshold: Local): Value => i32x4.greater(four.get, threshold.get);

/**
 * `(x, length, threshold) => Σ |x|` of elements whose bits without the sign exceed the threshold, of all where that is −1: in
 * float64, one after the other.
 */
export const sumAbove: WasmFunction = assemble(
  "sumAbove",
  { x: "i32", length: "i32", threshold: "i32" },
  "f64",
  ({ arguments: { x, length, threshold }, local, count }) => {
    const [thresholds, four, two] = [local("v128"), local("v128"), local("v128")];
    const sum = local("f64");
    const addTwo = (floats: Value): Code => [
      ...two.set(f64x2.ofFloats(floats)),
      ...sum.set(f64.add(f64.add(sum.get, f64x2.lane(two.get, 0)), f64x2.lane(two.get, 1))),
    ];
    return [
      thresholds.set(i32x4.splat(threshold.get)),
      count(bytesOf(length.get), 16, (index) => [
        ...four.set(f32x4.absolute(v128.load(i32.add(x.get, index)))),
        // What is left out is added as a zero, which changes no sum.
        ...four.set(v128.and(four.get, above(four, thresholds))),
        ...addTwo(four.get),
        ...addTwo(upper(four.get, four.get)),
      ]),
      sum.get,
    ];
  },
);

/** `(x, length, threshold)`: how many elements' bits without the sign exceed the threshold. */
export const countAbove: WasmFunction = assemble(
  "countAbove",
  { x: "i32", length: "i32", threshold: "i32" },
  "i32",
  ({ arguments: { x, length, threshold }, local, count }) => {
    const [thresholds, four, counts] = [local("v128"), local("v128"), local("v128")];
    return [
      thresholds.set(i32x4.splat(threshold.get)),
      count(bytesOf(length.get), 16, (index) => [
        ...four.set(f32x4.absolute(v128.load(i32.add(x.get, index)))),
        ...counts.set(i32x4.subtract(counts.get, above(four, thresholds))), // −1 where it does
      ]),
      range(PER_REGISTER)
        .map((lane) => i32x4.lane(counts.get, lane))
        .reduce((sum, lane) => i32.add(sum, lane)),
    ];
  },
);
