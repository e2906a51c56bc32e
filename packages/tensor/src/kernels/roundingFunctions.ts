// The signs of a block of elements, and their rounding to few values, as WebAssembly functions: they take byte offsets and lengths
// that are multiples of four elements, and leave the rest of a block to the caller (see blocks.ts). Rounding is that of the loops
// there, to the bit.

import { assemble, f32, f32x4, i32, i32x4, type Local, type Value, v128 } from "./assembler.ts";
import type { WasmFunction } from "./encode.ts";
import { above, bytesOf } from "./magnitudeFunctions.ts";

/** `(x, out, length, scale)`: out ← −scale where x < 0, and scale elsewhere. */
export const signsTimes: WasmFunction = assemble(
  "signsTimes",
  { x: "i32", out: "i32", length: "i32", scale: "f32" },
  undefined,
  ({ arguments: { x, out, length, scale }, local, count }) => {
    const scales = local("v128");
    const signBit = i32x4.splat(i32.constant(-0x80000000));
    return [
      scales.set(f32x4.splat(scale.get)),
      count(bytesOf(length.get), 16, (index) => {
        const negative = f32x4.less(v128.load(i32.add(x.get, index)), v128.zero());
        return v128.store(i32.add(out.get, index), v128.xor(scales.get, v128.and(negative, signBit)));
      }),
    ];
  },
);

/** 1, 0 or −1, or what is not a number, for each of four. */
export function signsOf(four: Local): Value {
  const one = f32x4.splat(f32.constant(1));
  const positive = v128.and(f32x4.less(v128.zero(), four.get), one);
  const negative = v128.and(f32x4.less(four.get, v128.zero()), one);
  return v128.or(f32x4.subtract(positive, negative), f32x4.notEqual(four.get, four.get));
}

/** x + MAGIC − MAGIC is the integer nearest to a float32 x, the even one of two, for |x| up to 2²². */
export const MAGIC: number = 1.5 * 2 ** 23;

/** q · scale, q the integer nearest to x / divisor, at most `most` in magnitude. */
export function roundedToSteps(
  x: Value,
  { divisor, scale, most }: Readonly<Record<"divisor" | "scale" | "most", Value>>,
): Value {
  const magic = f32x4.splat(f32.constant(MAGIC));
  const nearest = f32x4.subtract(f32x4.add(f32x4.divide(x, divisor), magic), magic);
  const bounded = f32x4.orLarger(f32x4.orSmaller(nearest, most), f32x4.subtract(v128.zero(), most));
  return f32x4.multiply(bounded, scale);
}

/** `(x, out, length, scale, most)`: out ← q · scale, q the integer nearest to x / scale, at most `most` in magnitude. */
export const roundToSteps: WasmFunction = assemble(
  "roundToSteps",
  { x: "i32", out: "i32", length: "i32", scale: "f32", most: "f32" },
  undefined,
  ({ arguments: { x, out, length, scale, most }, local, count }) => {
    const [steps, bound] = [local("v128"), local("v128")];
    const rounding = { divisor: steps.get, scale: steps.get, most: bound.get };
    return [
      steps.set(f32x4.splat(scale.get)),
      bound.set(f32x4.splat(most.get)),
      count(bytesOf(length.get), 16, (index) =>
        v128.store(i32.add(out.get, index), roundedToSteps(v128.load(i32.add(x.get, index)), rounding)),
      ),
    ];
  },
);

/** The bits of a positive float32 that change if it is doubled: its exponent, as long as it is not subnormal. */
export const DOUBLED: number = 2 ** 23;

/**
 * `(x, out, length, largest, bound)`: out ← ± largest · 2^−e of the sign of x, e from 0 to 6, or zero; zero below
 * largest / 128, and e = 0 from `bound` on (1 at half of it, and so on). `largest` is at least 2⁻¹⁰⁰. Doubling a number adds as
 * much to its bits wherever it is, so that the exponent of x / bound is had by subtracting bits.
 */
export const roundToPowers: WasmFunction = assemble(
  "roundToPowers",
  { x: "i32", out: "i32", length: "i32", largest: "i32", bound: "i32" },
  undefined,
  ({ arguments: { x, out, length, largest, bound }, local, count }) => {
    const [most, bounds, least, none] = [local("v128"), local("v128"), local("v128"), local("v128")];
    const [four, magnitude] = [local("v128"), local("v128")];
    const below = (halvings: number): Value =>
      i32x4.splat(i32.subtract(largest.get, i32.constant(halvings * DOUBLED)));
    const exponent = v128.and(
      i32x4.subtract(magnitude.get, bounds.get),
      i32x4.splat(i32.constant(-DOUBLED)), // rounds down, negative numbers too
    );
    const power = i32x4.maximum(i32x4.add(most.get, exponent), least.get);
    const signBit = i32x4.splat(i32.constant(-0x80000000));
    return [
      most.set(i32x4.splat(largest.get)),
      bounds.set(i32x4.splat(bound.get)),
      least.set(below(6)),
      none.set(below(7)),
      count(bytesOf(length.get), 16, (index) => [
        ...four.set(v128.load(i32.add(x.get, index))),
        ...magnitude.set(f32x4.absolute(four.get)),
        ...v128.store(
          i32.add(out.get, index),
          v128.or(
            v128.and(power, i32x4.greaterOrEqual(magnitude.get, none.get)),
            v128.and(f32x4.less(four.get, v128.zero()), signBit),
          ),
        ),
      ]),
    ];
  },
);

/** `(x, out, length, threshold, small, large)`: out ← large, or small, of the sign of x; large where x exceeds the threshold. */
export const writeLevels: WasmFunction = assemble(
  "writeLevels",
  { x: "i32", out: "i32", length: "i32", threshold: "i32", small: "f32", large: "f32" },
  undefined,
  ({ arguments: { x, out, length, threshold, small, large }, local, count }) => {
    const [thresholds, smalls, difference] = [local("v128"), local("v128"), local("v128")];
    const [four, magnitude] = [local("v128"), local("v128")];
    const signBit = i32x4.splat(i32.constant(-0x80000000));
    return [
      thresholds.set(i32x4.splat(threshold.get)),
      smalls.set(f32x4.splat(small.get)),
      difference.set(v128.xor(smalls.get, f32x4.splat(large.get))),
      count(bytesOf(length.get), 16, (index) => [
        ...four.set(v128.load(i32.add(x.get, index))),
        ...magnitude.set(f32x4.absolute(four.get)),
        ...v128.store(
          i32.add(out.get, index),
          v128.xor(
            v128.xor(smalls.get, v128.and(difference.get, above(magnitude, thresholds))),
            v128.and(f32x4.less(four.get, v128.zero()), signBit),
          ),
        ),
      ]),
    ];
  },
);
