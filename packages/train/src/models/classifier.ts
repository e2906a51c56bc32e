// What the image classifiers have in common: 28 × 28 grey images, ten classes, cross-entropy, accuracy.

import { countCorrect, softmaxCrossEntropy } from "@atoll/tensor";
import type { Model } from "./model.ts";

export const IMAGE_SIZE = 28;
export const CLASSES = 10;

export const digitClassifier: Pick<Model, "example" | "loss" | "correct"> = {
  example: { x: { shape: [1, IMAGE_SIZE, IMAGE_SIZE], dtype: "float32" }, y: { shape: [], dtype: "int32" } },
  loss: softmaxCrossEntropy,
  correct: countCorrect,
};
