// One node's training state as flat vectors in one block of memory: parameters, gradients, the optimizer's slots and
// the model's buffers. One block a node, so that a worker thread finds all of it from one address.

import type { VectorLayout } from "@atoll/tensor";

/** Vectors start on a cache line (16 floats), as the SIMD kernels like it. */
const ALIGNMENT = 16;

export interface ReplicaLayout {
  readonly slots: readonly string[];
  readonly parameterCount: number;
  readonly bufferCount: number;
  /** Length of the whole block, in floats. */
  readonly length: number;
}

export interface Replica {
  readonly block: Float32Array;
  /** [parameterCount] */
  readonly parameters: Float32Array;
  /** [parameterCount] */
  readonly gradients: Float32Array;
  /** Each [parameterCount]. */
  readonly slots: Readonly<Record<string, Float32Array>>;
  /** [bufferCount] */
  readonly buffers: Float32Array;
}

const aligned = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

export function replicaLayout(
  parameters: VectorLayout,
  buffers: VectorLayout,
  slots: readonly string[],
): ReplicaLayout {
  return {
    slots,
    parameterCount: parameters.size,
    bufferCount: buffers.size,
    length: aligned(parameters.size) * (2 + slots.length) + aligned(buffers.size),
  };
}

/** The vectors of a block of `layout.length` floats. */
export function replicaOver(layout: ReplicaLayout, block: Float32Array): Replica {
  const { parameterCount, bufferCount, slots } = layout;
  const stride = aligned(parameterCount);
  const vector = (index: number): Float32Array =>
    block.subarray(index * stride, index * stride + parameterCount);
  const bufferStart = stride * (2 + slots.length);
  return {
    block,
    parameters: vector(0),
    gradients: vector(1),
    slots: Object.fromEntries(slots.map((slot, i) => [slot, vector(2 + i)])),
    buffers: block.subarray(bufferStart, bufferStart + bufferCount),
  };
}
