// Where the arithmetic of a run happens. An executor owns the nodes' vectors and runs the traced programs on them;
// it knows nothing of ranks, time or networks. Implementations: worker threads with native kernels (./node), and
// jax-js in this thread, which runs everywhere and is the reference in tests.

import type { Optimizer, VectorLayout } from "@atoll/tensor";
import type { DataSource } from "./data/index.ts";
import type { LocalTask } from "./localTask.ts";
import type { Model } from "./models/index.ts";
import type { Replica } from "./replica.ts";

/** What is to be trained, the same for all nodes. */
export interface ExecutorOptions {
  readonly model: Model;
  readonly optimizer: Optimizer;
  readonly layout: VectorLayout;
  readonly bufferLayout: VectorLayout;
  /** Examples of one step of one node. */
  readonly batchSize: number;
  /** Examples of one forward and backward pass; divides batchSize, gradients are accumulated. */
  readonly minibatchSize: number;
  /** Training data; nodes refer to them by index, and may share one. */
  readonly sources: readonly DataSource[];
  /** Data to evaluate on, if there is any, and how many examples evaluations will be over. */
  readonly evaluation: { readonly source: DataSource; readonly counts: readonly number[] } | undefined;
  /** Whether whole runs of local steps will be asked for (`localSteps`). */
  readonly localSteps: boolean;
}

/** A run of local steps of one node. */
export interface StepBatch {
  /** Index into `sources`. */
  readonly source: number;
  /** Examples, [steps × batchSize]. */
  readonly indices: Uint32Array;
  /** Random keys, [steps × 2], for dropout. */
  readonly keys: Uint32Array;
  /** Set where norms of gradients are wanted. */
  readonly norms?: GradientNorms;
}

/** L2 norms of some of the steps' gradients, before anything is done to them. */
export interface GradientNorms {
  /** The steps, by their place in the batch, ascending. */
  readonly of: readonly number[];
  /** Where the executor writes them, [of.length]. */
  readonly into: Float64Array;
}

export interface Evaluation {
  /** Mean loss over the examples. */
  readonly loss: number;
  /** Part answered correctly, or null where the model has no such notion. */
  readonly accuracy: number | null;
}

/** Operations to be done first, in their order: in one go where that spares a message to a worker. */
export interface Beforehand {
  readonly beforehand?: readonly LocalTask[];
}

/** Operations to be done next, in their order: likewise in one go. */
export interface Afterwards {
  readonly afterwards?: readonly LocalTask[];
}

export interface Executor extends AsyncDisposable {
  readonly name: string;
  /** Floating-point operations of one step of one node: forward and backward over batchSize examples. */
  readonly flopsPerStep: number;
  /** A new node's vectors, all zeros. */
  allocate(): Replica;
  /** Forward and backward for one step: writes the replica's gradients and buffers; returns the batch's mean loss. */
  gradient(replica: Replica, batch: StepBatch, options?: Afterwards): Promise<number>;
  /**
   * Applies the optimizer to gradients; `count` is the number of updates done before.
   * @param gradients not changed; default: the replica's
   */
  update(replica: Replica, count: number, options?: Beforehand & { gradients?: Float32Array }): Promise<void>;
  /** Steps of gradient and update; returns each step's loss. `count` is the number of updates done before. */
  localSteps(
    replica: Replica,
    batch: StepBatch,
    count: number,
    options?: Beforehand & Afterwards,
  ): Promise<Float64Array>;
  /** An operation on vectors of nodes, or on plain arrays. */
  run(task: LocalTask): Promise<void>;
  /** Loss and accuracy over the given examples of the evaluation data, in evaluation mode; changes nothing. */
  evaluate(weights: Pick<Replica, "parameters" | "buffers">, indices: Uint32Array): Promise<Evaluation>;
}

export type ExecutorFactory = (options: ExecutorOptions) => Promise<Executor>;
