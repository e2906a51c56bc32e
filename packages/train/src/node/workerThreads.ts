// The executor that computes on worker threads with ONNX Runtime's kernels: programs are traced and lowered once, here,
// and every worker runs them on whichever node's vectors it is handed. Results do not depend on the number of workers,
// since each task runs on one thread and touches one node.

import { ConfigError, invariant } from "@atoll/core";
import {
  createHeap,
  type Example,
  type Heap,
  type LoweredProgram,
  lower,
  lowerLoop,
  planUpdate,
  type UpdatePlan,
  type VectorAddress,
} from "@atoll/tensor";
import { memoryOf } from "@atoll/tensor/vectors";
import { share } from "../data/dataset.ts";
import { evaluationBatches } from "../evaluation.ts";
import type {
  Afterwards,
  Beforehand,
  Evaluation,
  Executor,
  ExecutorFactory,
  ExecutorOptions,
  StepBatch,
} from "../executor.ts";
import { runLocally } from "../localOperations.ts";
import type { LocalTask } from "../localTask.ts";
import {
  evaluationFunction,
  gradientFunction,
  localStepFunction,
  type Traceable,
  updateFunction,
} from "../programs.ts";
import { type Replica, type ReplicaLayout, replicaLayout, replicaOver } from "../replica.ts";
import type { Workers } from "./startWorkers.ts";
import type { RemoteTask, Setup, Task, TaskResult, UpdateMode, UpdateSteps } from "./trainingTasks.ts";

export { startWorkers, type Workers } from "./startWorkers.ts";

export interface WorkerThreadsOptions {
  /** How optimizers are applied, where that is possible; by default whichever was measured to be fastest. */
  readonly update?: UpdateMode["kind"];
}

/** Parameters below which an operation on all of them takes a tenth of a millisecond or two. */
const SMALL = 2 ** 19;

/** Workers that serve an executor now: they are set up for one at a time. */
const busy = new WeakSet<Workers>();

/**
 * An executor on these workers, which stay the caller's to dispose of; so is the executor, before the next one is made.
 * @throws ConfigError (the factory's promise) if they serve another executor still.
 */
export const workerThreads =
  (workers: Workers, { update }: WorkerThreadsOptions = {}): ExecutorFactory =>
  async (options) =>
    new WorkerExecutor(options, workers, update);

class WorkerExecutor implements Executor {
  readonly name = "onnx";
  readonly flopsPerStep: number;
  readonly #options: ExecutorOptions;
  readonly #workers: Workers;
  readonly #heap: Heap = createHeap();
  readonly #layout: ReplicaLayout;
  readonly #plan: UpdatePlan | undefined;
  readonly #addresses: WeakMap<Float32Array, VectorAddress> = new WeakMap();
  #announced = 0;

  constructor(options: ExecutorOptions, workers: Workers, wanted: UpdateMode["kind"] | undefined) {
    const { batchSize, minibatchSize, layout, bufferLayout, optimizer, sources } = options;
    this.#options = options;
    this.#workers = workers;
    this.#layout = replicaLayout(layout, bufferLayout, optimizer.slots);
    const usual = canLoop(options) && optimizer.slots.length === 0 ? "loop" : "fused";
    this.#plan = (wanted ?? usual) === "fused" ? planUpdate(optimizer, layout) : undefined;
    const gradient = lowered(gradientFunction(options, minibatchSize));
    this.flopsPerStep = (gradient.flops * batchSize) / minibatchSize;
    if (busy.has(workers))
      throw new ConfigError(
        "These workers serve another run at the moment. Await that run first, or start workers for each.",
      );
    busy.add(workers);
    workers.broadcast({
      kind: "setup",
      gradient,
      update: this.#plan === undefined ? tracedUpdate(options, wanted) : { kind: "fused" },
      batchSize,
      minibatchSize,
      replica: this.#layout,
      sources,
      evaluation: evaluationOf(options),
    });
  }

  allocate(): Replica {
    const block = this.#heap.alloc(this.#layout.length);
    this.#addresses.set(block, this.#heap.addressOf(block));
    return replicaOver(this.#layout, block);
  }

  async gradient(
    { block }: Replica,
    batch: StepBatch,
    { afterwards = [] }: Afterwards = {},
  ): Promise<number> {
    const together = this.#allRemote(afterwards);
    const { norms, ...examples } = batch;
    const [loss, norm] = await this.#run({
      kind: "gradient",
      block: this.#addressOf(block),
      batch: examples,
      normsOf: norms?.of ?? [],
      afterwards: together ?? [],
    });
    if (norms !== undefined) norms.into[0] = norm!;
    if (together === undefined) for (const task of afterwards) await this.run(task);
    return loss!;
  }

  async update(
    { block, gradients: own }: Replica,
    count: number,
    { beforehand = [], gradients = own }: Beforehand & { readonly gradients?: Float32Array } = {},
  ): Promise<void> {
    const address = this.#addressOf(block);
    const given = gradients === own ? undefined : this.#addressIn(gradients);
    const shared = given?.memory === address.memory ? given : undefined;
    const isCopied = gradients !== own && shared === undefined;
    const together = await this.#remotely(isCopied ? [] : beforehand);
    // A vector that workers do not see, or that lies in another memory than what it changes, they get as a copy.
    if (isCopied) {
      for (const task of beforehand) await this.run(task);
      own.set(gradients);
    }
    await this.#run({
      kind: "update",
      block: address,
      beforehand: together,
      gradients: shared,
      steps: this.#steps(count, 1),
    });
  }

  async localSteps(
    { block }: Replica,
    batch: StepBatch,
    count: number,
    { beforehand = [], afterwards = [] }: Beforehand & Afterwards = {},
  ): Promise<Float64Array> {
    const before = await this.#remotely(beforehand);
    const after = this.#allRemote(afterwards);
    const { norms, ...examples } = batch;
    const length = batch.keys.length / 2;
    const results = await this.#run({
      kind: "localSteps",
      block: this.#addressOf(block),
      beforehand: before,
      batch: examples,
      normsOf: norms?.of ?? [],
      steps: this.#steps(count, length),
      afterwards: after ?? [],
    });
    if (after === undefined) for (const task of afterwards) await this.run(task);
    norms?.into.set(results.subarray(length));
    return results.subarray(0, length);
  }

  /** Operations for a worker to begin with; if it would not see all of their vectors, they are done now. */
  async #remotely(tasks: readonly LocalTask[]): Promise<readonly RemoteTask[]> {
    const remote = this.#allRemote(tasks);
    if (remote === undefined) for (const task of tasks) await this.run(task);
    return remote ?? [];
  }

  /** Undefined if workers do not see all vectors of one of them. */
  #allRemote(tasks: readonly LocalTask[]): readonly RemoteTask[] | undefined {
    const remote = tasks.map((task) => this.#remote(task));
    return remote.every((task) => task !== undefined) ? remote : undefined;
  }

  /** On a worker, unless a vector is a plain array, which a worker would not see. */
  async run(task: LocalTask): Promise<void> {
    const remote = this.#remote(task);
    if (remote === undefined) runLocally(task);
    else await this.#run({ kind: "local", task: remote });
  }

  async evaluate(
    weights: Pick<Replica, "parameters" | "buffers">,
    indices: Uint32Array,
  ): Promise<Evaluation> {
    const parameters = share(weights.parameters, Float32Array);
    const buffers = share(weights.buffers, Float32Array);
    const sums = await Promise.all(
      evaluationBatches(indices.length, this.#options.minibatchSize).map(({ start, end }) =>
        this.#run({ kind: "evaluate", parameters, buffers, indices: indices.slice(start, end) }),
      ),
    );
    const mean = (column: 0 | 1): number =>
      sums.reduce((total, row) => total + row[column]!, 0) / indices.length;
    return { loss: mean(0), accuracy: this.#options.model.correct === undefined ? null : mean(1) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    busy.delete(this.#workers);
  }

  /** Workers are told of new memories before the first task that may use them. */
  #run(task: Task): Promise<TaskResult> {
    const { memories } = this.#heap;
    if (memories.length > this.#announced) {
      const behind = this.#announced;
      this.#announced = memories.length;
      this.#workers.broadcast({ kind: "memories", behind, memories: memories.slice(behind) });
    }
    const isSmall = (task.kind === "update" || task.kind === "local") && this.#options.layout.size < SMALL;
    return this.#workers.run(task, { isSmall });
  }

  #addressOf(block: Float32Array): VectorAddress {
    const address = this.#addresses.get(block);
    invariant(address, "replicas are this executor's own");
    return address;
  }

  /** An operation as workers are told of it; undefined if they do not see all of its vectors. */
  #remote({ operation, vectors, numbers }: LocalTask): RemoteTask | undefined {
    const addresses: Record<string, VectorAddress> = {};
    for (const [name, vector] of Object.entries(vectors)) {
      const address = this.#addressIn(vector);
      if (address === undefined) return undefined;
      addresses[name] = address;
    }
    return { operation, vectors: addresses, numbers };
  }

  /** The address of a vector, or of a part of one, if it lies in this executor's memory. */
  #addressIn(vector: Float32Array): VectorAddress | undefined {
    const home = memoryOf(vector);
    const memory = home === undefined ? -1 : this.#heap.memories.indexOf(home);
    if (memory === -1) return undefined;
    return { memory, byteOffset: vector.byteOffset, length: vector.length, dtype: "float32" };
  }

  /** The optimizer's numbers for `steps` steps from `count` updates on. */
  #steps(count: number, steps: number): UpdateSteps {
    const plan = this.#plan;
    if (plan !== undefined) return Array.from({ length: steps }, (_, step) => plan.update(count + step));
    const rows = Array.from({ length: steps }, (_, step) => this.#options.optimizer.scalars(count + step));
    const column = (name: string): Float32Array => Float32Array.from(rows, (row) => row[name]!);
    return Object.fromEntries(Object.keys(rows[0]!).map((name) => [name, column(name)]));
  }
}

/** How to apply an optimizer without a fused kernel: a loop keeps the node's state inside the session from step to step. */
function tracedUpdate(options: ExecutorOptions, wanted: UpdateMode["kind"] | undefined): UpdateMode {
  const program = lowered(updateFunction(options));
  if (!canLoop(options) || wanted === "program") return { kind: "program", program };
  const { step, example } = localStepFunction(options, options.batchSize);
  return { kind: "loop", program, loop: lowerLoop(step, example) };
}

/**
 * Whole local steps can run in one loop unless minibatches accumulate. It was measured (benchmarks/updateModes.ts) to be
 * 10 % faster than a fused kernel for plain SGD, which has no state; with state (Adam's, or a proximal term's anchor) the
 * kernel is faster for small models, and for large ones they are level.
 */
const canLoop = ({ localSteps, minibatchSize, batchSize }: ExecutorOptions): boolean =>
  localSteps && minibatchSize === batchSize;

const lowered = <A>({ f, example }: Traceable<A, unknown, Example>): LoweredProgram => lower(f, example);

/** A program has one batch size, so there is one for each that the evaluations' batches come in. */
function evaluationOf(options: ExecutorOptions): Setup["evaluation"] {
  if (options.evaluation === undefined) return undefined;
  const { source, counts } = options.evaluation;
  const sizes = new Set(
    counts.flatMap((count) =>
      evaluationBatches(count, options.minibatchSize).map(({ start, end }) => end - start),
    ),
  );
  const programs = [...sizes].map((batchSize) => ({
    batchSize,
    program: lowered(evaluationFunction(options, batchSize)),
  }));
  return { source, programs };
}
