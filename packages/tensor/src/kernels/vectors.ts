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

/** out ← a, both [n]. In shared memory `set` goes element by element, which takes three times as long. */
export function copyVector(out: Float32Array, a: Float32Array): void {
  const blocks = out.length === a.length ? kernelsFor(out, a)?.blocks : undefined;
  if (blocks === undefined) out.set(a);
  else blocks.copyBytes(out.byteOffset, a.byteOffset, a.byteLength);
}

/** a ← 0. In shared memory `fill` goes element by element, which takes ten times as long. a [n] */
export function clearVector(a: Float32Array): Float32Array {
  const blocks = kernelsFor(a)?.blocks;
  if (blocks === undefined) a.fill(0);
  else blocks.clearBytes(a.byteOffset, a.byteLength);
  return a;
}

/**
 * Brings a vector of shared memory into this core's cache, all of it at once: for what takes several rows of it at a time, and
 * would wait for each line. (What goes through a vector from end to end has the processor fetch ahead.)
 */
export function fetchVector(a: Float32Array): void {
  kernelsFor(a)?.blocks.fetchLines(a.byteOffset, a.byteLength);
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

/**
 * a ← (a + b) / 2, both [n]: in float32, with the bits that float64 rounded once would have as long as a + b does not overflow,
 * since a sum that is rounded has an even half.
 */
export function averageVectors(a: Float32Array, b: Float32Array): void {
  if (accelerated("average", { a, b })) return;
  for (let i = 0; i < a.length; i++) a[i] = Math.fround(a[i]! + b[i]!) / 2;
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

/** a ← decay · a + (b − c), in float64 and rounded once; all [n] */
export function decayAndAddDifference(
  a: Float32Array,
  b: Float32Array,
  c: Float32Array,
  decay: number,
): void {
  if (accelerated("decayAndAddDifference", { a, b, c }, { decay })) return;
  for (let i = 0; i < a.length; i++) a[i] = decay * a[i]! + (b[i]! - c[i]!);
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

/** m ← momentum · m + Δ; θ ← θ − learningRate · (Δ + momentum · m), in float64. anchor (θ), change (Δ), velocity (m) [n] */
export function nesterovStep(
  vectors: Readonly<Record<"anchor" | "change" | "velocity", Float32Array>>,
  scalars: Readonly<Record<"learningRate" | "momentum", number>>,
): void {
  if (accelerated("nesterovStep", vectors, scalars)) return;
  const { anchor, change, velocity } = vectors;
  const { learningRate, momentum } = scalars;
  for (let i = 0; i < anchor.length; i++) {
    const delta = change[i]!;
    const moved = momentum * velocity[i]! + delta;
    velocity[i] = moved;
    anchor[i]! -= learningRate * (delta + momentum * moved);
  }
}

/**
 * m ← momentum · m + learningRate · (Δ + φ̄ − φ); φ ← φ + m; out ← φ, each in float64 and rounded. anchor (φ), change (Δ), mean (φ̄),
 * velocity (m), out [n]
 */
export function pairStep(
  vectors: Readonly<Record<"out" | "anchor" | "change" | "mean" | "velocity", Float32Array>>,
  scalars: Readonly<Record<"learningRate" | "momentum", number>>,
): void {
  if (accelerated("pairStep", vectors, scalars)) return;
  const { out, anchor, change, mean, velocity } = vectors;
  const { learningRate, momentum } = scalars;
  for (let i = 0; i < anchor.length; i++) {
    velocity[i] = momentum * velocity[i]! + learningRate * (change[i]! + mean[i]! - anchor[i]!);
    anchor[i]! += velocity[i]!;
    out[i] = anchor[i]!;
  }
}

/**
 * m ← b1 m + (1 − b1)Δ; v ← keep · v + added · Δ²; θ ← θ − learningRate · m / (√v + tau), in float64. anchor (θ), change (Δ),
 * mean (m), square (v) [n]
 */
export function adaptiveStep(
  vectors: Readonly<Record<"anchor" | "change" | "mean" | "square", Float32Array>>,
  scalars: Readonly<Record<"learningRate" | "b1" | "keep" | "added" | "tau", number>>,
): void {
  const { learningRate, b1, keep, added, tau } = scalars;
  if (accelerated("adaptiveStep", vectors, { ...scalars, oneMinusB1: 1 - b1 })) return;
  const { anchor, change, mean, square } = vectors;
  for (let i = 0; i < anchor.length; i++) {
    const delta = change[i]!;
    const m = b1 * mean[i]! + (1 - b1) * delta;
    const v = keep * square[i]! + added * (delta * delta);
    mean[i] = m;
    square[i] = v;
    anchor[i]! -= (learningRate * m) / (Math.sqrt(v) + tau);
  }
}
