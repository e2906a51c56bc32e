// Real runs of a model whose layers are all of one size, as a plan takes them to be, on steps that all take equally long.

import { createRandom } from "@atoll/core";
import {
  countCorrect,
  initLinear,
  type Linear,
  linear,
  relu,
  softmaxCrossEntropy,
  type Tensor,
} from "@atoll/tensor";
import {
  type FitOptions,
  type FitResult,
  LocalTrainer,
  type LocalTrainerOptions,
  tableDataset,
} from "@atoll/train";

const WIDTH = 32;
export const STACKED_LAYERS = 4;
export const STACKED_PARAMETERS: number = STACKED_LAYERS * (WIDTH * WIDTH + WIDTH);

type Parameters<T> = { readonly blocks: readonly Linear<T>[] };

const stacked: LocalTrainerOptions["model"] = {
  name: "stacked",
  config: { kind: "stacked" },
  example: { x: { shape: [WIDTH], dtype: "float32" }, y: { shape: [], dtype: "int32" } },
  init: (random) => ({
    parameters: {
      blocks: Array.from({ length: STACKED_LAYERS }, (_, layer) =>
        initLinear(random.derive("block", layer), WIDTH, WIDTH),
      ),
    },
    buffers: {},
  }),
  apply(parameters, x, { buffers }) {
    const { blocks } = parameters as Parameters<Tensor>;
    return { logits: blocks.reduce((features, block) => relu(linear(block, features)), x), buffers };
  },
  loss: softmaxCrossEntropy,
  correct: countCorrect,
};

const examples = 64;
const random = createRandom(1);
const train = tableDataset({
  name: "noise",
  x: Float32Array.from({ length: examples * WIDTH }, () => random.normal()),
  xShape: [WIDTH],
  y: Int32Array.from({ length: examples }, () => random.integer(WIDTH)),
  classes: WIDTH,
});

/** @param stepSeconds what every step of every node takes */
export function fitStacked(options: FitOptions, stepSeconds: number): Promise<FitResult> {
  const compute = { kind: "measured", durations: [stepSeconds] } as const;
  return new LocalTrainer({ model: stacked, train, wallClock: () => 0 }).fit({
    batchSize: 2,
    compute,
    ...options,
  });
}
