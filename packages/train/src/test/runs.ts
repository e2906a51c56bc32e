// Small runs for tests: models of a few hundred parameters over a small table, so that a run of many steps takes
// milliseconds, and what is needed to look at a run from outside: its events, its checkpoints, its numbers.

import { createRandom, type RunEvent, type StepDone } from "@atoll/core";
import {
  type BatchNorm,
  type BatchNormBuffers,
  batchNorm,
  countCorrect,
  dropout,
  type HostTensor,
  initBatchNorm,
  initLinear,
  type Linear,
  linear,
  relu,
  reshape,
  softmaxCrossEntropy,
  type Tensor,
} from "@atoll/tensor";
import { type Dataset, tableDataset } from "../data/index.ts";
import { type FitResult, LocalTrainer, type LocalTrainerOptions } from "../localTrainer.ts";
import type { Model } from "../models/index.ts";
import type { CheckpointStore, FitOptions } from "../options.ts";
import type { RunSnapshot } from "../snapshot.ts";
import { fedAvg } from "../strategies/index.ts";

const FEATURES = 6;
const HIDDEN = 8;
const CLASSES = 4;

/** Examples of `CLASSES` overlapping clouds; the first of a longer set are the shorter one. */
export function clouds(size: number, seed = 1): Dataset {
  const random = createRandom(seed);
  const y = new Int32Array(size);
  const x = new Float32Array(size * FEATURES);
  for (let i = 0; i < size; i++) {
    y[i] = random.integer(CLASSES);
    for (let k = 0; k < FEATURES; k++) x[i * FEATURES + k] = random.normal() + (k === y[i] ? 1.5 : 0);
  }
  return tableDataset({ name: "clouds", x, xShape: [FEATURES], y, classes: CLASSES });
}

type Parameters<T> = {
  readonly hidden: Linear<T>;
  readonly norm?: BatchNorm<T>;
  readonly output: Linear<T>;
};
type Buffers<T> = { readonly norm?: BatchNormBuffers<T> };

export interface PerceptronOptions {
  /** Dropout on the hidden layer. Default 0. */
  readonly rate?: number;
  /** Whether the hidden layer has batch normalisation. Default false. */
  readonly normed?: boolean;
  /** Hidden units. Default 8. */
  readonly hidden?: number;
}

/** 6 features, 8 hidden units or as many as are asked for, 4 classes. */
export function perceptron({
  rate = 0,
  normed = false,
  hidden: width = HIDDEN,
}: PerceptronOptions = {}): Model {
  return {
    name: "perceptron",
    config: { kind: "perceptron", rate, normed, ...(width === HIDDEN ? {} : { hidden: width }) },
    example: { x: { shape: [FEATURES], dtype: "float32" }, y: { shape: [], dtype: "int32" } },
    init(random) {
      const norm = initBatchNorm(width);
      const parameters: Parameters<HostTensor> = {
        hidden: initLinear(random.derive("hidden"), FEATURES, width),
        ...(normed ? { norm: norm.parameters } : {}),
        output: initLinear(random.derive("output"), width, CLASSES),
      };
      return { parameters, buffers: normed ? { norm: norm.buffers } : {} };
    },
    apply(parameters, x, { training, buffers, key }) {
      const { hidden, norm, output } = parameters as Parameters<Tensor>;
      let features = linear(hidden, x); // [batch, 6] -> [batch, width]
      let after = buffers as Buffers<Tensor>;
      if (norm !== undefined) {
        const image = reshape(features, [-1, width, 1, 1]);
        const result = batchNorm(norm, image, { training, buffers: after.norm! });
        features = reshape(result.output, [-1, width]);
        after = { norm: result.buffers };
      }
      const kept = dropout(relu(features), { rate, training, key });
      return { logits: linear(output, kept), buffers: after };
    },
    loss: softmaxCrossEntropy,
    correct: countCorrect,
  };
}

/** A run and all that can be seen of it. */
export interface Rehearsal {
  readonly result: FitResult;
  readonly events: readonly RunEvent[];
  /** Copies of the snapshots that were saved, by step. */
  readonly snapshots: ReadonlyMap<number, RunSnapshot>;
}

export type RehearsalOptions = Partial<LocalTrainerOptions> & FitOptions;

/** Fits a perceptron to clouds, unless the options say otherwise, and keeps what happens. */
export async function rehearse(options: RehearsalOptions): Promise<Rehearsal> {
  const {
    model = perceptron(),
    train = clouds(240),
    validation,
    executor,
    wallClock = () => 0,
    memoryBytes,
    ...fit
  } = options;
  const events: RunEvent[] = [];
  const store = memoryStore();
  const trainer = new LocalTrainer({
    model,
    train,
    ...(validation === undefined ? {} : { validation }),
    ...(executor === undefined ? {} : { executor }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    wallClock,
  });
  const result = await trainer.fit({
    batchSize: 8,
    checkpoints: store,
    ...fit,
    emit(event) {
      events.push(event);
      fit.emit?.(event);
    },
  });
  return { result, events, snapshots: store.snapshots };
}

/** Keeps copies of snapshots in memory, through JSON as a file would. */
export function memoryStore(): CheckpointStore & { readonly snapshots: Map<number, RunSnapshot> } {
  const snapshots = new Map<number, RunSnapshot>();
  return {
    snapshots,
    save(snapshot) {
      snapshots.set(snapshot.step, copyOf(snapshot));
      return Promise.resolve(`memory:${snapshot.step}`);
    },
  };
}

function copyOf({ nodes, ...rest }: RunSnapshot): RunSnapshot {
  return {
    ...(JSON.parse(JSON.stringify(rest)) as typeof rest),
    nodes: nodes.map(({ state, tensors }) => {
      const copies = Object.fromEntries(
        Object.entries(tensors()).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
      );
      return { state: JSON.parse(JSON.stringify(state)) as typeof state, tensors: () => copies };
    }),
  };
}

export const stepsOf = (events: readonly RunEvent[]): readonly StepDone[] =>
  events.filter((event) => event.type === "step");

/** All that a run comes to, but for wall-clock figures: what has to be the same to the last bit. */
export const numbersOf = ({ result, events }: Rehearsal): unknown => {
  const { wallSeconds: _, ...numbers } = result;
  return { ...numbers, steps: stepsOf(events) };
};

/** Events as they happen on the simulated machines: without wall-clock figures and without a run's beginnings and ends. */
export const happenings = (events: readonly RunEvent[]): readonly RunEvent[] =>
  events.filter(({ type }) => type !== "runStarted" && type !== "topology" && type !== "runFinished");

/** The largest difference between two runs' fitted parameters, relative to the largest parameter. */
export function parameterDistance(a: FitResult, b: FitResult): number {
  const [left, right] = [flat(a.parameters), flat(b.parameters)];
  const scale = left.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return left.reduce((worst, value, i) => Math.max(worst, Math.abs(value - right[i]!)), 0) / scale;
}

function flat(tree: unknown): number[] {
  if (typeof tree !== "object" || tree === null) return [];
  if ("data" in tree) return Array.from(tree.data as Float32Array);
  return Object.values(tree).flatMap(flat);
}

/** A run with all that can go wrong in it: dropout, buffers, jitter, loss, several epochs, evaluations. */
export const busy: RehearsalOptions = {
  strategy: fedAvg({ H: 4 }),
  model: perceptron({ rate: 0.3, normed: true }),
  train: clouds(120),
  validation: clouds(150, 2),
  nodes: 3,
  maxSteps: 10,
  network: { profile: "wan" },
};
