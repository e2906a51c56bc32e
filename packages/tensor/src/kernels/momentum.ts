// Momentum with what compressors do next. Where all vectors lie in one shared memory, WebAssembly functions do it in one pass
// (momentumFunctions.ts), and else loops, with the same bits: float32, rounded after each operation.

import { at, collectAtLeast, forBlocks, sumOfMagnitudes, wholeFours } from "./blocks.ts";
import { kernelsFor } from "./vectors.ts";

const { fround } = Math;

/**
 * u ← momentum · u + g; v ← v + u; then what `collectAtLeast` does with v. velocity (u), total (v), gradients (g) [n]
 * @returns how many elements reach the threshold
 */
export function momentumAndCollect(
  { velocity, total, gradients }: Readonly<Record<"velocity" | "total" | "gradients", Float32Array>>,
  momentum: number,
  { threshold, out }: { readonly threshold: number; readonly out: Float32Array },
): number {
  const blocks = kernelsFor(velocity, total, gradients, out)?.blocks;
  const whole = blocks === undefined ? 0 : wholeFours(total.length);
  const [u, v, g] = [velocity, total, gradients].map(({ byteOffset }) => byteOffset) as [
    number,
    number,
    number,
  ];
  const count = blocks?.momentumAndCollect(u, v, g, whole, momentum, threshold, out.byteOffset, out.length);
  const factor = fround(momentum);
  for (let i = whole; i < total.length; i++) {
    velocity[i] = fround(factor * velocity[i]!) + gradients[i]!;
    total[i]! += velocity[i]!;
  }
  return collectAtLeast(total, threshold, out, { from: whole, count: count ?? 0 });
}

/**
 * m ← (b1 · m + (1 − b1) · g) + e; then, block by block, the mean magnitude s of m goes into `scales`, and e ← m − sign(m) · s,
 * zero counting as positive. mean (m), gradients (g), residual (e) [n]; scales [⌈n / blockSize⌉]
 */
export function momentumAndSigns(
  {
    mean,
    gradients,
    residual,
    scales,
  }: Readonly<Record<"mean" | "gradients" | "residual" | "scales", Float32Array>>,
  { b1, blockSize }: { readonly b1: number; readonly blockSize: number },
): void {
  const blocks = kernelsFor(mean, gradients, residual)?.blocks;
  const [kept, added] = [fround(b1), fround(1 - b1)];
  forBlocks(mean.length, blockSize, (block) => {
    const { start, end } = block;
    // Parts of vectors need not begin where registers do; stores that cross cache lines take twice as long.
    const first = Math.min(end, start + (blocks === undefined ? 0 : -(at(mean, start) / FLOAT_BYTES) & 3));
    const whole = blocks === undefined ? 0 : wholeFours(end - first);
    const last = first + whole;
    const [m, g, e] = [at(mean, first), at(gradients, first), at(residual, first)];
    const others = (each: (i: number) => void): void => {
      for (let i = start; i < first; i++) each(i);
      for (let i = last; i < end; i++) each(i);
    };
    blocks?.momentumAndResidual(m, g, e, whole, kept, added);
    others((i) => {
      mean[i] = fround(fround(kept * mean[i]!) + fround(added * gradients[i]!)) + residual[i]!;
    });
    const scale = fround(sumOfMagnitudes(mean, block, blocks) / (end - start));
    scales[start / blockSize] = scale;
    blocks?.residualOfSigns(m, e, whole, scale);
    others((i) => {
      residual[i] = mean[i]! - (mean[i]! < 0 ? -scale : scale);
    });
  });
}

const FLOAT_BYTES = 4;
