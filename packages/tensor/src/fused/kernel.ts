// What a fused kernel is: a named function that jax-js differentiates by itself where it runs it, and that ONNX computes
// with an operator of its own and a gradient written by hand.

import type { View } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";

type Shape = readonly number[];

export interface FusedKernel {
  readonly name: string;
  /** Number of arguments. */
  readonly arity: number;
  /** Shapes of what the forward pass keeps for the gradient, from the arguments' shapes; all float32. */
  readonly saved: (args: readonly Shape[]) => readonly Shape[];
  /** The result, then what is kept. */
  readonly forward: (g: GraphBuilder, args: readonly View[]) => readonly View[];
  /** The arguments' cotangents. `forward` is what `forward` returned. */
  readonly gradient: (
    g: GraphBuilder,
    args: readonly View[],
    forward: readonly View[],
    cotangent: View,
  ) => readonly View[];
}
