// The executor that computes in this thread with a tensor backend, jax-js's WebAssembly by default. It needs nothing of
// Node, so it is what runs in browsers, and tests hold the worker threads to its results. Replicas are plain arrays, and
// optimizers are run as they are traced.

import { invariant } from "@atoll/core";
import { type Backend, compile, type HostTensor, lower, type Program, wasm } from "@atoll/tensor";
import { squaredNorm } from "./compressors/encoding.ts";
import { exampleShape, gather } from "./data/index.ts";
import { evaluationBatches } from "./evaluation.ts";
import type {
  Afterwards,
  Beforehand,
  Evaluation,
  Executor,
  ExecutorFactory,
  ExecutorOptions,
  StepBatch,
} from "./executor.ts";
import { runLocally } from "./localOperations.ts";
import type { LocalTask } from "./localTask.ts";
import { evaluationFunction, gradientFunction, updateFunction } from "./programs.ts";
import { type Replica, type ReplicaLayout, replicaLayout, replicaOver } from "./replica.ts";

type GradientProgram = Program<
  Readonly<Record<string, HostTensor>>,
  { readonly loss: HostTensor; readonly gradients: HostTensor; readonly buffers?: HostTensor }
>;
type UpdateProgram = Program<
  {
    readonly parameters: HostTensor;
    readonly gradients: HostTensor;
    readonly slots: Readonly<Record<string, HostTensor>>;
    readonly scalars: Readonly<Record<string, HostTensor>>;
  },
  { readonly parameters: HostTensor; readonly slots: Readonly<Record<string, HostTensor>> }
>;
type EvaluationProgram = Program<
  Readonly<Record<string, HostTensor>>,
  { readonly loss: HostTensor; readonly correct?: HostTensor }
>;

interface Programs {
  readonly gradient: GradientProgram;
  readonly update: UpdateProgram;
  /** By batch size. */
  readonly evaluation: ReadonlyMap<number, EvaluationProgram>;
  readonly flopsPerStep: number;
}

export interface InProcessOptions {
  /** Default: jax-js on WebAssembly. */
  readonly backend?: Backend;
}

/** An executor in this thread: one step at a time, on any backend. */
export const inProcessExecutor =
  ({ backend = wasm }: InProcessOptions = {}): ExecutorFactory =>
  async (options) =>
    new InProcessExecutor(options, backend, await compileAll(options, backend));

async function compileAll(options: ExecutorOptions, backend: Backend): Promise<Programs> {
  const gradient = gradientFunction(options, options.minibatchSize);
  const update = updateFunction(options);
  const evaluation = new Map<number, EvaluationProgram>();
  for (const count of options.evaluation?.counts ?? [])
    for (const { start, end } of evaluationBatches(count, options.minibatchSize)) {
      const batchSize = end - start;
      if (evaluation.has(batchSize)) continue;
      const { f, example } = evaluationFunction(options, batchSize);
      evaluation.set(batchSize, await compile(f, example, { backend }));
    }
  return {
    gradient: await compile(gradient.f, gradient.example, { backend }),
    update: await compile(update.f, update.example, { backend }),
    evaluation,
    flopsPerStep: flopsPerStep(options),
  };
}

/** Floating-point operations of one step of one node, from its traced programs. */
export function flopsPerStep(options: ExecutorOptions): number {
  const { batchSize, minibatchSize } = options;
  const { f, example } = gradientFunction(options, minibatchSize);
  return (lower(f, example).flops * batchSize) / minibatchSize;
}

class InProcessExecutor implements Executor {
  readonly name: string;
  readonly flopsPerStep: number;
  readonly #options: ExecutorOptions;
  readonly #programs: Programs;
  readonly #layout: ReplicaLayout;

  constructor(options: ExecutorOptions, backend: Backend, programs: Programs) {
    const { layout, bufferLayout, optimizer } = options;
    this.name = backend.name;
    this.#options = options;
    this.#programs = programs;
    this.#layout = replicaLayout(layout, bufferLayout, optimizer.slots);
    this.flopsPerStep = programs.flopsPerStep;
  }

  allocate(): Replica {
    return replicaOver(this.#layout, new Float32Array(this.#layout.length));
  }

  async gradient(replica: Replica, batch: StepBatch, { afterwards = [] }: Afterwards = {}): Promise<number> {
    const loss = await this.#gradient(replica, batch, 0);
    for (const task of afterwards) runLocally(task);
    return loss;
  }

  async update(
    { parameters, gradients: own, slots }: Replica,
    count: number,
    { beforehand = [], gradients = own }: Beforehand & { readonly gradients?: Float32Array } = {},
  ): Promise<void> {
    for (const task of beforehand) runLocally(task);
    const next = await this.#programs.update.run({
      parameters: vector(parameters),
      gradients: vector(gradients),
      slots: mapValues(slots, vector),
      scalars: mapValues(this.#options.optimizer.scalars(count), scalar),
    });
    parameters.set(next.parameters.data);
    for (const [name, slot] of Object.entries(slots)) slot.set(next.slots[name]!.data);
  }

  async localSteps(
    replica: Replica,
    batch: StepBatch,
    count: number,
    { beforehand = [], afterwards = [] }: Beforehand & Afterwards = {},
  ): Promise<Float64Array> {
    for (const task of beforehand) runLocally(task);
    const losses = new Float64Array(batch.keys.length / 2);
    for (let step = 0; step < losses.length; step++) {
      losses[step] = await this.#gradient(replica, batch, step);
      await this.update(replica, count + step);
    }
    for (const task of afterwards) runLocally(task);
    return losses;
  }

  async run(task: LocalTask): Promise<void> {
    runLocally(task);
  }

  async evaluate(
    { parameters, buffers }: Pick<Replica, "parameters" | "buffers">,
    indices: Uint32Array,
  ): Promise<Evaluation> {
    const { evaluation, model } = this.#options;
    invariant(evaluation, "evaluation data were set up");
    let loss = 0;
    let correct = 0;
    for (const { start, end } of evaluationBatches(indices.length, this.#options.minibatchSize)) {
      const program = this.#programs.evaluation.get(end - start);
      invariant(program, `an evaluation program for a batch of ${end - start}`);
      const batch = this.#batch(evaluation.source, indices.subarray(start, end), new Uint32Array(2));
      const scores = await program.run({ ...weights(parameters, buffers), ...batch });
      loss += scores.loss.data[0]! * (end - start);
      correct += scores.correct?.data[0] ?? 0;
    }
    return {
      loss: loss / indices.length,
      accuracy: model.correct === undefined ? null : correct / indices.length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { gradient, update, evaluation } = this.#programs;
    for (const program of [gradient, update, ...evaluation.values()]) await program[Symbol.asyncDispose]();
  }

  /** Forward and backward for one step of a batch; minibatches add up their gradients, and buffers go from one to the next. */
  async #gradient(replica: Replica, batch: StepBatch, step: number): Promise<number> {
    const { source, indices, keys, norms } = batch;
    const { batchSize, minibatchSize, sources } = this.#options;
    const { parameters, gradients, buffers } = replica;
    const count = batchSize / minibatchSize;
    let total = 0;
    gradients.fill(0);
    for (let part = 0; part < count; part++) {
      const start = step * batchSize + part * minibatchSize;
      const key = Uint32Array.of(keys[2 * step]!, keys[2 * step + 1]! + part);
      const examples = this.#batch(sources[source]!, indices.subarray(start, start + minibatchSize), key);
      const result = await this.#programs.gradient.run({ ...weights(parameters, buffers), ...examples });
      if (result.buffers !== undefined) buffers.set(result.buffers.data);
      const partial = result.gradients.data;
      for (let i = 0; i < gradients.length; i++) gradients[i]! += partial[i]! / count;
      total += result.loss.data[0]!;
    }
    const place = norms?.of.indexOf(step) ?? -1;
    if (place !== -1) norms!.into[place] = Math.sqrt(squaredNorm(gradients));
    return total / count;
  }

  #batch(
    source: ExecutorOptions["sources"][number],
    indices: Uint32Array,
    key: Uint32Array,
  ): { readonly x: HostTensor; readonly y: HostTensor; readonly key: HostTensor } {
    const shapes = exampleShape(source);
    const x = { shape: [indices.length, ...shapes.x.shape] };
    const y = { shape: [indices.length, ...shapes.y.shape] };
    const xData =
      shapes.x.dtype === "int32" ? new Int32Array(size(x.shape)) : new Float32Array(size(x.shape));
    const yData = new Int32Array(size(y.shape));
    gather(source, indices, xData, yData);
    return { x: { ...x, data: xData }, y: { ...y, data: yData }, key: { shape: [2], data: key } };
  }
}

const size = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
const vector = (data: Float32Array): HostTensor => ({ shape: [data.length], data });
const scalar = (value: number): HostTensor => ({ shape: [], data: Float32Array.of(value) });

const weights = (parameters: Float32Array, buffers: Float32Array): Readonly<Record<string, HostTensor>> => ({
  parameters: vector(parameters),
  ...(buffers.length > 0 ? { buffers: vector(buffers) } : {}),
});

const mapValues = <T, R>(
  values: Readonly<Record<string, T>>,
  f: (value: T) => R,
): Readonly<Record<string, R>> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, f(value)]));
