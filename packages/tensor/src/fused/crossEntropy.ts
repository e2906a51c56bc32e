// Cross-entropy of class scores against integer labels, one loss an example: −log softmax(logits)[label].
// Gradient: dlogits = (softmax(logits) − onehot(label)) · dloss, on ONNX with probabilities in multiples of 2⁻¹⁰⁰.

import type { Tensor } from "../borrow.ts";
import { contiguous, viewContiguous } from "../layout/arrange.ts";
import type { View } from "../layout/view.ts";
import { scaleBy, withoutScale } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { exp, log, max, multiply, oneHot, stopGradient, subtract, sum } from "../ops.ts";
import { fuse } from "./fuse.ts";
import type { FusedKernel } from "./kernel.ts";

/** logits [..., classes], labels int32 [...] -> losses [...] */
export const fusedCrossEntropy: (logits: Tensor, labels: Tensor) => Tensor = fuse(
  "crossEntropy",
  (logits, labels) => {
    const shifted = subtract(logits, stopGradient(max(logits, { axis: -1, keepdims: true })));
    const normaliser = log(sum(exp(shifted), { axis: -1 }));
    const chosen = sum(multiply(shifted, oneHot(labels, logits.shape.at(-1)!)), { axis: -1 });
    return subtract(normaliser, chosen);
  },
);

export const crossEntropyKernel: FusedKernel = {
  name: "crossEntropy",
  arity: 2,
  saved: ([logits]) => [logits!],
  forward(g, [logits, labels]) {
    const logProbabilities = g.node("LogSoftmax", [contiguous(g, logits!)], { axis: -1 });
    const chosen = g.node("GatherElements", [logProbabilities, columnOf(g, labels!)], { axis: -1 });
    const sums = g.node("Squeeze", [chosen, g.integers([-1])]);
    return [
      scaleBy(viewContiguous(g, sums, labels!.shape, "float32"), -1),
      viewContiguous(g, logProbabilities, logits!.shape, "float32"),
    ];
  },
  gradient(g, [logits, labels], [, logProbabilities], cotangent) {
    const probabilities = withoutTiny(g, g.node("Exp", [contiguous(g, logProbabilities!)]));
    const minusOnes = g.node("Expand", [
      g.constant("float32", [1], Float32Array.of(-1)),
      g.integers([...labels!.shape, 1]),
    ]);
    const difference = g.node("ScatterElements", [probabilities, columnOf(g, labels!), minusOnes], {
      axis: -1,
      reduction: "add",
    });
    if (cotangent.kind === "splat")
      return [scaleBy(viewContiguous(g, difference, logits!.shape, "float32"), cotangent.value), labels!];
    const column = g.node("Reshape", [
      contiguous(g, withoutScale(cotangent)),
      g.integers([...cotangent.shape, 1]),
    ]);
    const product = g.node("Mul", [difference, column]);
    return [scaleBy(viewContiguous(g, product, logits!.shape, "float32"), cotangent.scale), labels!];
  },
};

/** [...] -> [..., 1]. The labels' places among the scores are read and written, without a one-hot row for each. */
const columnOf = (g: GraphBuilder, labels: View): string =>
  g.node("Reshape", [contiguous(g, labels), g.integers([...labels.shape, 1])]);

/** From here to twice as far, float32 numbers lie 2⁻¹⁰⁰ apart. */
const TINY = 2 ** -77;

/**
 * Probabilities rounded to multiples of 2⁻¹⁰⁰. Those from 2⁻⁷⁷ on change by a unit in the last place at most, and those from 2⁻⁵²
 * on not at all. Where logits are far apart, as when training diverges, small ones would be subnormal, or become so in the backward
 * pass, and some processors take ten times as long for such numbers.
 * Comparing and selecting would leave all others alone, but takes memory for two more copies of the logits.
 */
function withoutTiny(g: GraphBuilder, probabilities: string): string {
  const tiny = g.scalar(TINY, "float32");
  return g.node("Sub", [g.node("Add", [probabilities, tiny]), tiny]);
}
