// Applies an optimizer's update that was planned elsewhere (see plan.ts): plain numbers and vectors in, vectors changed in
// place. It needs nothing of the optimizer, so a worker thread can do it without the code that traces.

import { invariant } from "@atoll/core";
import type { KernelName, Kernels } from "./kernels.ts";

/** Keeps the quotient finite for a zero gradient; PyTorch's `clip_grad_norm_` uses the same. */
export const CLIP_EPSILON = 1e-6;

/** One update as plain data, which can be posted to a worker. */
export interface FusedUpdate {
  readonly kernel: KernelName;
  /** A proximal term, whose pull towards the state vector of slot `anchor` is added to the gradients first. */
  readonly pull?: { readonly anchor: string; readonly mu: number };
  /** Gradients are scaled down to this norm. */
  readonly maxNorm?: number;
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
  /** Where gradients go that are changed before they are applied; may be `gradients` itself. */
  readonly ownGradients: Float32Array;
  /** By the optimizer's slot names. */
  readonly state: Readonly<Record<string, Float32Array>>;
}

/** Applies an update in place, as `parameters + updates` of the traced optimizer. */
export function applyUpdate(
  kernels: Kernels,
  { kernel, pull, maxNorm, slots, ranges }: FusedUpdate,
  { parameters, gradients: given, ownGradients, state }: UpdateVectors,
): void {
  const held = (slot: string): Float32Array => {
    const vector = state[slot];
    invariant(vector !== undefined, `an update needs the state vector ${slot}`);
    return vector;
  };
  if (pull !== undefined) {
    const anchor = held(pull.anchor);
    kernels.run("proximal", { out: ownGradients, gradients: given, parameters, anchor }, { mu: pull.mu });
  }
  const gradients = pull === undefined ? given : ownGradients;
  const norm = maxNorm === undefined ? 0 : Math.sqrt(kernels.sumOfSquares(gradients));
  const gradientScale = maxNorm === undefined ? 1 : Math.min(1, maxNorm / (norm + CLIP_EPSILON));
  const vectors: Record<string, Float32Array> = { parameters, gradients };
  for (const [vector, slot] of Object.entries(slots)) vectors[vector] = held(slot);
  for (const { start, end, scalars } of ranges)
    kernels.run(kernel, vectors, { ...scalars, gradientScale }, { start, end });
}
