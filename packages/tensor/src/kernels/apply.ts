// Applies an optimizer's update that was planned elsewhere (see plan.ts): plain numbers and vectors in, vectors changed in
// place. It needs nothing of the optimizer, so a worker thread can do it without the code that traces.

import { invariant } from "@atoll/core";
import type { KernelName, Kernels, NormName } from "./kernels.ts";

/** Keeps the quotient finite for a zero gradient; PyTorch's `clip_grad_norm_` uses the same. */
export const CLIP_EPSILON = 1e-6;

/** One update as plain data, which can be posted to a worker. */
export interface FusedUpdate {
  readonly kernel: KernelName;
  /** Gradients are scaled down to this norm. */
  readonly clip?: {
    readonly maxNorm: number;
    readonly norm: NormName;
    readonly scalars: Readonly<Record<string, number>>;
  };
  /** The optimizer's slot for each vector of the kernel that is state. */
  readonly slots: Readonly<Record<string, string>>;
  /** Ranges of the vectors that differ in weight decay, with the kernel's scalars. */
  readonly ranges: readonly {
    readonly start: number;
    readonly end: number;
    readonly scalars: Readonly<Record<string, number>>;
  }[];
}

export interface UpdateVectors {
  readonly parameters: Float32Array;
  readonly gradients: Float32Array;
  /** By the optimizer's slot names. */
  readonly state: Readonly<Record<string, Float32Array>>;
}

/** Applies an update in place, as `parameters + updates` of the traced optimizer; gradients stay as they are. */
export function applyUpdate(
  kernels: Kernels,
  { kernel, clip, slots, ranges }: FusedUpdate,
  { parameters, gradients, state }: UpdateVectors,
): void {
  const vectors: Record<string, Float32Array> = { parameters, gradients };
  for (const [vector, slot] of Object.entries(slots)) {
    const held = state[slot];
    invariant(held !== undefined, `an update needs the state vector ${slot}`);
    vectors[vector] = held;
  }
  const squared = clip === undefined ? 0 : kernels.squaredNorm(clip.norm, vectors, clip.scalars);
  const gradientScale =
    clip === undefined ? 1 : Math.min(1, clip.maxNorm / (Math.sqrt(squared) + CLIP_EPSILON));
  for (const { start, end, scalars } of ranges)
    kernels.run(kernel, vectors, { ...scalars, gradientScale }, { start, end });
}
