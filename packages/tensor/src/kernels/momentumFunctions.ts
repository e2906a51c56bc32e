// Momentum with what compressors do next, in one pass over the vectors, as WebAssembly functions on byte offsets: for a
// multiple of four elements, in float32. The loops for what is left over are in momentum.ts.

import { assemble, f32x4, i32, i32x4, v128 } from "./assembler.ts";
import type { WasmFunction } from "./encode.ts";
import { collectInFours, collecting } from "./magnitudeFunctions.ts";

const REGISTER_BYTES = 16;
const bytesOf = (length: readonly number[]): readonly number[] => i32.shiftLeft(length, i32.constant(2));

/**
 * `(velocity, total, gradients, length, momentum, threshold, out, capacity) => count`: u ← momentum · u + g, v ← v + u; and what
 * `collectAtLeast` does with v.
 */
export const momentumAndCollect: WasmFunction = assemble(
  "momentumAndCollect",
  {
    velocity: "i32",
    total: "i32",
    gradients: "i32",
    length: "i32",
    momentum: "f32",
    threshold: "i32",
    out: "i32",
    capacity: "i32",
  },
  "i32",
  (frame) => {
    const { velocity, total, gradients, length, momentum, threshold, out, capacity } = frame.arguments;
    const [factor, u] = [frame.local("v128"), frame.local("v128")];
    const found = collecting(frame, { threshold, out, capacity });
    return [
      factor.set(f32x4.splat(momentum.get)),
      found.begin,
      collectInFours(frame, { length, take: found.take }, (v, index) => {
        const [atU, atV] = [i32.add(velocity.get, index), i32.add(total.get, index)];
        const g = v128.load(i32.add(gradients.get, index));
        return [
          ...u.set(f32x4.add(f32x4.multiply(v128.load(atU), factor.get), g)),
          ...v128.store(atU, u.get),
          ...v.set(f32x4.add(v128.load(atV), u.get)),
          ...v128.store(atV, v.get),
        ];
      }),
      found.count,
    ];
  },
);

/** `(mean, gradients, residual, length, b1, rest)`: m ← (b1 · m + rest · g) + residual. */
export const momentumAndResidual: WasmFunction = assemble(
  "momentumAndResidual",
  { mean: "i32", gradients: "i32", residual: "i32", length: "i32", b1: "f32", rest: "f32" },
  undefined,
  (frame) => {
    const { mean, gradients, residual, length, b1, rest } = frame.arguments;
    const [kept, added] = [frame.local("v128"), frame.local("v128")];
    return [
      kept.set(f32x4.splat(b1.get)),
      added.set(f32x4.splat(rest.get)),
      frame.count(bytesOf(length.get), REGISTER_BYTES, (index) => {
        const m = i32.add(mean.get, index);
        const g = f32x4.multiply(v128.load(i32.add(gradients.get, index)), added.get);
        const moved = f32x4.add(f32x4.multiply(v128.load(m), kept.get), g);
        return v128.store(m, f32x4.add(moved, v128.load(i32.add(residual.get, index))));
      }),
    ];
  },
);

/** `(x, residual, length, scale)`: residual ← x + scale where x < 0, x − scale elsewhere. */
export const residualOfSigns: WasmFunction = assemble(
  "residualOfSigns",
  { x: "i32", residual: "i32", length: "i32", scale: "f32" },
  undefined,
  (frame) => {
    const { x, residual, length, scale } = frame.arguments;
    const [scales, four] = [frame.local("v128"), frame.local("v128")];
    const signBit = i32x4.splat(i32.constant(-0x80000000));
    return [
      scales.set(f32x4.splat(scale.get)),
      frame.count(bytesOf(length.get), REGISTER_BYTES, (index) => {
        const signed = v128.xor(scales.get, v128.and(f32x4.less(four.get, v128.zero()), signBit));
        return [
          ...four.set(v128.load(i32.add(x.get, index))),
          ...v128.store(i32.add(residual.get, index), f32x4.subtract(four.get, signed)),
        ];
      }),
    ];
  },
);
