// A small convolutional network in the manner of PyTorch's MNIST example: two 3 × 3 convolutions, one pooling, two linear
// layers; no dropout. 1,199,882 parameters.

import {
  type Convolution,
  convolution,
  type HostTensor,
  initConvolution,
  initLinear,
  type Linear,
  linear,
  maxPool2d,
  relu,
  reshape,
  type Tensor,
} from "@atoll/tensor";
import { CLASSES, digitClassifier } from "./classifier.ts";
import type { Model } from "./model.ts";

type Parameters<T> = {
  readonly convolution1: Convolution<T>;
  readonly convolution2: Convolution<T>;
  readonly hidden: Linear<T>;
  readonly output: Linear<T>;
};

const CHANNELS = [32, 64] as const;
const FLAT = CHANNELS[1] * 12 * 12;
const HIDDEN = 128;

export function smallCnn(): Model {
  return {
    ...digitClassifier,
    name: "smallCnn",
    config: { kind: "smallCnn" },
    init(random) {
      const [first, second] = CHANNELS;
      const parameters: Parameters<HostTensor> = {
        convolution1: initConvolution(random.derive("convolution1"), { inputs: 1, outputs: first, size: 3 }),
        convolution2: initConvolution(random.derive("convolution2"), {
          inputs: first,
          outputs: second,
          size: 3,
        }),
        hidden: initLinear(random.derive("hidden"), FLAT, HIDDEN),
        output: initLinear(random.derive("output"), HIDDEN, CLASSES),
      };
      return { parameters, buffers: {} };
    },
    apply(parameters, x, { buffers }) {
      const { convolution1, convolution2, hidden, output } = parameters as Parameters<Tensor>;
      const low = relu(convolution(convolution1, x)); // [batch, 1, 28, 28] -> [batch, 32, 26, 26]
      const high = relu(convolution(convolution2, low)); // -> [batch, 64, 24, 24]
      const flat = reshape(maxPool2d(high, 2), [-1, FLAT]); // -> [batch, 64, 12, 12] -> [batch, 9216]
      return { logits: linear(output, relu(linear(hidden, flat))), buffers };
    },
  };
}
