// Cross-entropy of class scores against integer labels, and the count of right answers.

import type { Tensor } from "../borrow.ts";
import {
  argmax,
  cast,
  equal,
  exp,
  log,
  max,
  mean,
  multiply,
  oneHot,
  stopGradient,
  subtract,
  sum,
} from "../ops.ts";

/** Mean of −log softmax(logits)[label]. logits [..., classes], labels int32 [...] -> [] */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const shifted = subtract(logits, stopGradient(max(logits, { axis: -1, keepdims: true })));
  const normaliser = log(sum(exp(shifted), { axis: -1 }));
  const chosen = sum(multiply(shifted, oneHot(labels, logits.shape.at(-1)!)), { axis: -1 });
  return mean(subtract(normaliser, chosen));
}

/** How many labels have the highest score. logits [..., classes], labels int32 [...] -> float32 [] */
export const countCorrect = (logits: Tensor, labels: Tensor): Tensor =>
  sum(cast(equal(argmax(logits, -1), labels), "float32"));
