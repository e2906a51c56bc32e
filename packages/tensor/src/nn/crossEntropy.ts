// Cross-entropy of class scores against integer labels, and the count of right answers.

import type { Tensor } from "../borrow.ts";
import { fusedCrossEntropy } from "../fused/crossEntropy.ts";
import { argmax, cast, equal, mean, sum } from "../ops.ts";

/** Mean of −log softmax(logits)[label]. logits [..., classes], labels int32 [...] -> [] */
export const softmaxCrossEntropy = (logits: Tensor, labels: Tensor): Tensor =>
  mean(fusedCrossEntropy(logits, labels));

/** How many labels have the highest score. logits [..., classes], labels int32 [...] -> float32 [] */
export const countCorrect = (logits: Tensor, labels: Tensor): Tensor =>
  sum(cast(equal(argmax(logits, -1), labels), "float32"));
