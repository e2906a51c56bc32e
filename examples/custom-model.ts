// A model of one's own: pure functions over trees of tensors. The same model is trained on every node, so it keeps
// nothing itself: parameters, buffers and the random key of dropout are arguments.
//
//   npx atoll train examples/custom-model.ts nodes=8 partition=dirichlet partition.alpha=0.1 strategy=fedavg strategy.H=10

import { createRandom } from "@atoll/core";
import {
  add,
  countCorrect,
  dropout,
  gelu,
  initLayerNorm,
  initLinear,
  type LayerNorm,
  type Linear,
  layerNorm,
  linear,
  reshape,
  softmaxCrossEntropy,
  type Tensor,
} from "@atoll/tensor";
import { defineExperiment, digits, type Model } from "@atoll/train";
import { z } from "zod";

type Parameters<T> = { input: Linear<T>; norm: LayerNorm<T>; block: Linear<T>; output: Linear<T> };

const residualMlp = (width: number, dropRate: number): Model => ({
  name: "residualMlp",
  config: { kind: "residualMlp", width, dropRate }, // goes into config.json
  example: { x: { shape: [1, 28, 28], dtype: "float32" }, y: { shape: [], dtype: "int32" } },
  init: (random) => ({
    parameters: {
      input: initLinear(random.derive("input"), 28 * 28, width),
      norm: initLayerNorm(width),
      block: initLinear(random.derive("block"), width, width),
      output: initLinear(random.derive("output"), width, 10),
    },
    buffers: {}, // what is not trained, such as running means
  }),
  apply(parameters, x, { training, key, buffers }) {
    const { input, norm, block, output } = parameters as Parameters<Tensor>;
    const h = linear(input, reshape(x, [-1, 28 * 28])); // [batch, 1, 28, 28] -> [batch, width]
    const update = dropout(gelu(linear(block, layerNorm(norm, h))), { rate: dropRate, training, key });
    return { logits: linear(output, add(h, update)), buffers }; // -> [batch, 10]
  },
  loss: softmaxCrossEntropy,
  correct: countCorrect,
});

export default defineExperiment({
  name: "residual-mlp",
  summary: "a perceptron with a residual block, on generated digits",
  options: z.strictObject({
    width: z.int().min(1).default(128).describe("units of each layer"),
    dropout: z.number().min(0).lt(1).default(0.1).describe("part of the block's units that is dropped"),
  }),
  defaults: { maxSteps: 300 },

  async create({ width, dropout: dropRate }, { seed }) {
    const { train, test } = digits({ trainSize: 12_000, testSize: 2_000, random: createRandom(seed) });
    return { model: residualMlp(width, dropRate), train, validation: test };
  },
});
