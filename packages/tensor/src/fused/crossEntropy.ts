// Cross-entropy of class scores against integer labels, one loss an example: −log softmax(logits)[label].
// Gradient: dlogits = (softmax(logits) − onehot(label)) · dloss.

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
    const chosen = g.node("Mul", [logProbabilities, oneHotOf(g, labels!, logits!.shape.at(-1)!)]);
    const sums = g.node("ReduceSum", [chosen, g.integers([-1])], { keepdims: 0 });
    return [
      scaleBy(viewContiguous(g, sums, labels!.shape, "float32"), -1),
      viewContiguous(g, logProbabilities, logits!.shape, "float32"),
    ];
  },
  gradient(g, [logits, labels], [, logProbabilities], cotangent) {
    const classes = logits!.shape.at(-1)!;
    const probabilities = g.node("Exp", [contiguous(g, logProbabilities!)]);
    const difference = g.node("Sub", [probabilities, oneHotOf(g, labels!, classes)]);
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

/** [...] -> float32 [..., classes] */
const oneHotOf = (g: GraphBuilder, labels: View, classes: number): string =>
  g.node("OneHot", [
    contiguous(g, labels),
    g.constant("int32", [1], Int32Array.of(classes)),
    g.constant("float32", [2], Float32Array.of(0, 1)),
  ]);
