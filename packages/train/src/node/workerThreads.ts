// The executor that computes on worker threads with ONNX Runtime's kernels: programs are traced and lowered once, here,
// and every worker runs them on whichever node's vectors it is handed. Results do not depend on the number of workers,
// since each task runs on one thread and touches one node.

import { type Example, type LoweredProgram, lower } from "@atoll/tensor";
import { share } from "../data/dataset.ts";
import type { Evaluation, Executor, ExecutorFactory, ExecutorOptions, StepBatch } from "../executor.ts";
import { evaluationFunction, gradientFunction, type Traceable, updateFunction } from "../programs.ts";
import { type Replica, type ReplicaLayout, replicaLayout, replicaOver } from "../replica.ts";
import type { ScalarTable, Setup, Task, TaskResult } from "./trainingSession.ts";
import { WorkerPool } from "./workerPool.ts";

/** Examples of one evaluation pass. */
const EVALUATION_BATCH = 500;

export type Workers = WorkerPool<Task, TaskResult, Setup>;

/** Starts worker threads: early, since they load native code while the rest of a run is prepared. */
export const startWorkers = (count?: number): Workers =>
  new WorkerPool(new URL("./trainingWorker.ts", import.meta.url), count);

/** An executor on these workers, which stay the caller's to dispose of. */
export const workerThreads =
  (workers: Workers): ExecutorFactory =>
  async (options) =>
    new WorkerExecutor(options, workers);

class WorkerExecutor implements Executor {
  readonly name = "onnx";
  readonly flopsPerStep: number;
  readonly #options: ExecutorOptions;
  readonly #workers: Workers;
  readonly #layout: ReplicaLayout;

  constructor(options: ExecutorOptions, workers: Workers) {
    const { batchSize, minibatchSize, layout, bufferLayout, optimizer, sources } = options;
    this.#options = options;
    this.#workers = workers;
    this.#layout = replicaLayout(layout, bufferLayout, optimizer.slots);
    const gradient = lowered(gradientFunction(options, minibatchSize));
    this.flopsPerStep = (gradient.flops * batchSize) / minibatchSize;
    workers.broadcast({
      gradient,
      update: lowered(updateFunction(options)),
      loop: undefined,
      batchSize,
      minibatchSize,
      replica: this.#layout,
      sources,
      evaluation: evaluationOf(options),
    });
  }

  allocate(): Replica {
    return replicaOver(this.#layout, new Float32Array(new SharedArrayBuffer(4 * this.#layout.length)));
  }

  async gradient({ block }: Replica, batch: StepBatch): Promise<number> {
    const [loss] = await this.#workers.run({ kind: "gradient", block, batch });
    return loss!;
  }

  async update({ block }: Replica, count: number): Promise<void> {
    await this.#workers.run({ kind: "update", block, scalars: this.#scalars(count, 1) });
  }

  async localSteps({ block }: Replica, batch: StepBatch, count: number): Promise<Float64Array> {
    const scalars = this.#scalars(count, batch.keys.length / 2);
    return this.#workers.run({ kind: "localSteps", block, batch, scalars });
  }

  async evaluate(
    weights: Pick<Replica, "parameters" | "buffers">,
    indices: Uint32Array,
  ): Promise<Evaluation> {
    const parameters = share(weights.parameters, Float32Array);
    const buffers = share(weights.buffers, Float32Array);
    const sums = await Promise.all(
      batches(indices.length).map(({ start, end }) =>
        this.#workers.run({ kind: "evaluate", parameters, buffers, indices: indices.slice(start, end) }),
      ),
    );
    const mean = (column: 0 | 1): number =>
      sums.reduce((total, row) => total + row[column]!, 0) / indices.length;
    return { loss: mean(0), accuracy: this.#options.model.correct === undefined ? null : mean(1) };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** The optimizer's numbers for `steps` steps from `count` updates on. */
  #scalars(count: number, steps: number): ScalarTable {
    const table: Record<string, Float32Array> = {};
    for (let step = 0; step < steps; step++)
      for (const [name, value] of Object.entries(this.#options.optimizer.scalars(count + step)))
        (table[name] ??= new Float32Array(steps))[step] = value;
    return table;
  }
}

const lowered = <A>({ f, example }: Traceable<A, unknown, Example>): LoweredProgram => lower(f, example);

/** Cuts evaluation examples into batches; the last one may be smaller. */
function batches(count: number): readonly { readonly start: number; readonly end: number }[] {
  return Array.from({ length: Math.ceil(count / EVALUATION_BATCH) }, (_, i) => ({
    start: i * EVALUATION_BATCH,
    end: Math.min(count, (i + 1) * EVALUATION_BATCH),
  }));
}

/** A program has one batch size, so there is one for each that the evaluations' batches come in. */
function evaluationOf(options: ExecutorOptions): Setup["evaluation"] {
  if (options.evaluation === undefined) return undefined;
  const { source, counts } = options.evaluation;
  const sizes = new Set(counts.flatMap((count) => batches(count).map(({ start, end }) => end - start)));
  const programs = [...sizes].map((batchSize) => ({
    batchSize,
    program: lowered(evaluationFunction(options, batchSize)),
  }));
  return { source, programs };
}
