// Arithmetic on vectors of any origin. Where all vectors of a call lie in one shared memory a SIMD kernel does it, and else
// a loop; both give the same bits, so nobody has to know which.

import { memoryOf } from "../memory.ts";
import { createKernels, type KernelName, type Kernels } from "./kernels.ts";

const kernelsOfMemory = new WeakMap<WebAssembly.Memory, Kernels>();

/** Kernels over the memory that all these vectors lie in, if there is one. */
export function kernelsFor(...vectors: readonly ArrayBufferView[]): Kernels | undefined {
  const memory = memoryOf(vectors[0]!);
  if (memory === undefined) return undefined;
  for (const vector of vectors) if (memoryOf(vector) !== memory) return undefined;
  let kernels = kernelsOfMemory.get(memory);
  if (kernels === undefined) {
    kernels = createKernels(memory);
    kernelsOfMemory.set(memory, kernels);
  }
  return kernels;
}

/** Runs a kernel if the vectors lie in one memory; says whether it has. */
function accelerated(
  kernel: KernelName,
  vectors: Readonly<Record<string, Float32Array>>,
  scalars: Readonly<Record<string, number>> = {},
): boolean {
  const kernels = kernelsFor(...Object.values(vectors));
  kernels?.run(kernel, vectors, scalars);
  return kernels !== undefined;
}

/** out ← a + b, all [n] */
export function addVectors(out: Float32Array, a: Float32Array, b: Float32Array): void {
  if (accelerated("add", { out, a, b })) return;
  for (let i = 0; i < out.length; i++) out[i] = a[i]! + b[i]!;
}

/** out ← a − b, all [n] */
export function subtractVectors(out: Float32Array, a: Float32Array, b: Float32Array): void {
  if (accelerated("subtract", { out, a, b })) return;
  for (let i = 0; i < out.length; i++) out[i] = a[i]! - b[i]!;
}

/** a ← a / by, `by` a float32 number */
export function divideVector(a: Float32Array, by: number): void {
  if (accelerated("divide", { a }, { by })) return;
  for (let i = 0; i < a.length; i++) a[i]! /= by;
}

/** a ← decay · a + factor · b, in float64 and rounded once; both [n] */
export function decayAndAdd(
  a: Float32Array,
  b: Float32Array,
  { decay, factor }: { readonly decay: number; readonly factor: number },
): void {
  if (accelerated("decayAndAdd", { a, b }, { decay, factor })) return;
  for (let i = 0; i < a.length; i++) a[i] = decay * a[i]! + factor * b[i]!;
}

/** a ← decay · a + factor · b², in float64 and rounded once; both [n] */
export function decayAndAddSquare(
  a: Float32Array,
  b: Float32Array,
  { decay, factor }: { readonly decay: number; readonly factor: number },
): void {
  if (accelerated("decayAndAddSquare", { a, b }, { decay, factor })) return;
  for (let i = 0; i < a.length; i++) a[i] = decay * a[i]! + factor * b[i]! * b[i]!;
}

/** velocity ← momentum · velocity + gradients; total ← total + velocity; all [n] */
export function accumulateMomentum(
  velocity: Float32Array,
  total: Float32Array,
  gradients: Float32Array,
  momentum: number,
): void {
  if (accelerated("accumulateMomentum", { velocity, total, gradients }, { momentum })) return;
  for (let i = 0; i < velocity.length; i++) {
    velocity[i] = momentum * velocity[i]! + gradients[i]!;
    total[i]! += velocity[i]!;
  }
}

/**
 * out ← mean · meanScale / (√square · rootScale + eps), in float32 as optimizers are: square roots and quotients of float64
 * would take four times as long. All [n]
 */
export function adamDirection(
  out: Float32Array,
  { mean, square }: { readonly mean: Float32Array; readonly square: Float32Array },
  scalars: { readonly meanScale: number; readonly rootScale: number; readonly eps: number },
): void {
  if (accelerated("adamDirection", { out, mean, square }, scalars)) return;
  const { fround } = Math;
  const [meanScale, rootScale, eps] = [scalars.meanScale, scalars.rootScale, scalars.eps].map(fround);
  for (let i = 0; i < out.length; i++) {
    const root = fround(fround(Math.sqrt(square[i]!)) * rootScale!);
    out[i] = fround(mean[i]! * meanScale!) / fround(root + eps!);
  }
}
