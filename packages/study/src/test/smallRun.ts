// Real runs for tests, of a model of 62 parameters over a small table, and what they leave: so that a run of many steps
// takes milliseconds.

import { createRandom, type RunEvent } from "@atoll/core";
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
  type ExperimentParts,
  type FitOptions,
  LocalTrainer,
  type LocalTrainerOptions,
  tableDataset,
} from "@atoll/train";
import type { RunRecord } from "../record.ts";

type Model = LocalTrainerOptions["model"];
type Dataset = NonNullable<LocalTrainerOptions["validation"]>;
type Parameters<T> = { readonly hidden: Linear<T>; readonly output: Linear<T> };

const FEATURES = 5;
const HIDDEN = 6;
const CLASSES = 3;

const perceptron: Model = {
  name: "perceptron",
  config: { kind: "perceptron" },
  example: { x: { shape: [FEATURES], dtype: "float32" }, y: { shape: [], dtype: "int32" } },
  init: (random) => ({
    parameters: {
      hidden: initLinear(random.derive("hidden"), FEATURES, HIDDEN),
      output: initLinear(random.derive("output"), HIDDEN, CLASSES),
    },
    buffers: {},
  }),
  apply(parameters, x, { buffers }) {
    const { hidden, output } = parameters as Parameters<Tensor>;
    return { logits: linear(output, relu(linear(hidden, x))), buffers }; // [batch, 5] -> [batch, 3]
  },
  loss: softmaxCrossEntropy,
  correct: countCorrect,
};

/** Examples of overlapping clouds, one a class. */
function clouds(size: number, seed: number): Dataset {
  const random = createRandom(seed);
  const y = Int32Array.from({ length: size }, () => random.integer(CLASSES));
  const x = Float32Array.from(
    { length: size * FEATURES },
    (_, i) => random.normal() + (i % FEATURES === y[Math.floor(i / FEATURES)] ? 1.5 : 0),
  );
  return tableDataset({ name: "clouds", x, xShape: [FEATURES], y, classes: CLASSES });
}

export const smallParts: ExperimentParts = {
  model: perceptron,
  train: clouds(130, 1),
  validation: clouds(40, 2),
};

/** Trains and records, with a clock that stands still. */
export async function trained(fit: FitOptions): Promise<RunRecord> {
  const events: RunEvent[] = [];
  await new LocalTrainer({ ...smallParts, wallClock: () => 0 }).fit({
    ...fit,
    emit: (event) => events.push(event),
  });
  return { config: {}, events, summary: null, truncated: false };
}
