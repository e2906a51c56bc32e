// The convolutional network of EXO Gym's MNIST example: two blocks of two 3 × 3 convolutions with batch normalisation,
// then a head of 256 units. Each block ends with pooling and dropout of whole channels. 1,868,234 parameters.

import type { Random } from "@atoll/core";
import {
  type BatchNorm,
  type BatchNormBuffers,
  batchNorm,
  type Convolution,
  convolution,
  dropout,
  dropout2d,
  type HostTensor,
  initBatchNorm,
  initConvolution,
  initLinear,
  type Linear,
  linear,
  maxPool2d,
  relu,
  reshape,
  splitKey,
  type Tensor,
} from "@atoll/tensor";
import { CLASSES, digitClassifier } from "./classifier.ts";
import type { ApplyContext, Model } from "./model.ts";

/** A convolution with padding 1, batch normalisation and ReLU. */
type Layer<T> = { readonly convolution: Convolution<T>; readonly norm: BatchNorm<T> };

type Parameters<T> = {
  readonly layers: readonly Layer<T>[];
  readonly hidden: Linear<T>;
  readonly output: Linear<T>;
};
type Buffers<T> = { readonly norms: readonly BatchNormBuffers<T>[] };

const CHANNELS = [1, 64, 64, 128, 128] as const;
const LAYERS_PER_BLOCK = 2;
const FLAT = 128 * 7 * 7;
const HIDDEN = 256;
const BLOCK_DROPOUT = 0.25;
const HEAD_DROPOUT = 0.5;

export function cnn(): Model {
  return {
    ...digitClassifier,
    name: "cnn",
    config: { kind: "cnn" },
    init,
    apply(parameters, x, context) {
      const { layers, hidden, output } = parameters as Parameters<Tensor>;
      const { training, buffers } = context;
      const [headKey, ...keys] = splitKey(context.key, 1 + layers.length / LAYERS_PER_BLOCK) as [
        Tensor,
        ...Tensor[],
      ];
      const features = applyLayers(layers, x, { training, buffers, keys });
      const flat = reshape(features.output, [-1, FLAT]); // [batch, 128, 7, 7] -> [batch, 6272]
      const head = dropout(relu(linear(hidden, flat)), {
        rate: HEAD_DROPOUT,
        training,
        key: headKey,
      });
      return { logits: linear(output, head), buffers: features.buffers };
    },
  };
}

function init(random: Random): {
  readonly parameters: Parameters<HostTensor>;
  readonly buffers: Buffers<HostTensor>;
} {
  const norms = CHANNELS.slice(1).map(initBatchNorm);
  const layers = norms.map(({ parameters: norm }, index) => {
    const shape = { inputs: CHANNELS[index]!, outputs: CHANNELS[index + 1]!, size: 3 };
    return { convolution: initConvolution(random.derive("convolution", index), shape), norm };
  });
  return {
    parameters: {
      layers,
      hidden: initLinear(random.derive("hidden"), FLAT, HIDDEN),
      output: initLinear(random.derive("output"), HIDDEN, CLASSES),
    },
    buffers: { norms: norms.map(({ buffers }) => buffers) },
  };
}

/** [batch, 1, 28, 28] -> [batch, 128, 7, 7]: each block halves height and width. */
function applyLayers(
  layers: readonly Layer<Tensor>[],
  x: Tensor,
  {
    training,
    buffers,
    keys,
  }: Pick<ApplyContext, "training" | "buffers"> & { readonly keys: readonly Tensor[] },
): { readonly output: Tensor; readonly buffers: Buffers<Tensor> } {
  const before = (buffers as Buffers<Tensor>).norms;
  const norms: BatchNormBuffers<Tensor>[] = [];
  let output = x;
  for (const [index, layer] of layers.entries()) {
    const convolved = convolution(layer.convolution, output, { padding: 1 });
    const normed = batchNorm(layer.norm, convolved, { training, buffers: before[index]! });
    norms.push(normed.buffers);
    output = relu(normed.output);
    if ((index + 1) % LAYERS_PER_BLOCK > 0) continue;
    const key = keys[(index + 1) / LAYERS_PER_BLOCK - 1]!;
    output = dropout2d(maxPool2d(output, 2), { rate: BLOCK_DROPOUT, training, key });
  }
  return { output, buffers: { norms } };
}
