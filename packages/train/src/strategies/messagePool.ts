// Vectors for messages, handed from sender to receiver and used again: a new one for every message would be as much memory
// as a model has each time, to be cleared and collected. They lie beside the nodes' own vectors, where SIMD kernels work.

import { allocateBeside, type VectorLayout } from "@atoll/tensor";
import type { StrategyNode } from "./strategy.ts";

export interface MessagePool {
  /** A vector of the parameters and so many floats more, [P + more]; its contents are whatever they were. */
  take(node: StrategyNode): Float32Array;
  /** Gives back what was received, or was taken and not sent. */
  giveBack(node: StrategyNode, vector: Float32Array): void;
}

/** @param more floats of a message beside the parameters */
export function messagePool(more: number): MessagePool {
  // The nodes of one run have one layout, and a strategy may serve several runs.
  const spare = new WeakMap<VectorLayout, Float32Array[]>();
  return {
    take: ({ layout, parameters }) =>
      spare.get(layout)?.pop() ?? allocateBeside(parameters, parameters.length + more),
    giveBack({ layout }, vector) {
      const vectors = spare.get(layout);
      if (vectors === undefined) spare.set(layout, [vector]);
      else vectors.push(vector);
    },
  };
}
