// The smallest useful model: 784 pixels, one hidden layer of 256 ReLU units, ten classes. 203,530 parameters.

import { type HostTensor, initLinear, type Linear, linear, relu, reshape, type Tensor } from "@atoll/tensor";
import { CLASSES, digitClassifier, IMAGE_SIZE } from "./classifier.ts";
import type { Model } from "./model.ts";

type Parameters<T> = { readonly hidden: Linear<T>; readonly output: Linear<T> };

const PIXELS = IMAGE_SIZE * IMAGE_SIZE;
const HIDDEN = 256;

export function mlp(): Model {
  return {
    ...digitClassifier,
    name: "mlp",
    config: { kind: "mlp", hidden: HIDDEN },
    init(random) {
      const parameters: Parameters<HostTensor> = {
        hidden: initLinear(random.derive("hidden"), PIXELS, HIDDEN),
        output: initLinear(random.derive("output"), HIDDEN, CLASSES),
      };
      return { parameters, buffers: {} };
    },
    apply(parameters, x, { buffers }) {
      const { hidden, output } = parameters as Parameters<Tensor>;
      const pixels = reshape(x, [-1, PIXELS]); // [batch, 1, 28, 28] -> [batch, 784]
      return { logits: linear(output, relu(linear(hidden, pixels))), buffers };
    },
  };
}
