// What worker threads are told, and what they answer: plain data, with vectors named by where they lie in shared memory.

import type { FusedUpdate, LoweredProgram, VectorAddress } from "@atoll/tensor/node/runtime";
import type { DataSource } from "../data/index.ts";
import type { StepBatch } from "../executor.ts";
import type { OperationName, OperationNumbers } from "../localTask.ts";
import type { ReplicaLayout } from "../replica.ts";

/** Evaluation is traced for a full batch, and for what is left over. */
export interface EvaluationProgram {
  readonly batchSize: number;
  readonly program: LoweredProgram;
}

/** How the optimizer is applied: by a fused kernel on the vectors, as a program, or inside a loop over whole steps. */
export type UpdateMode =
  | { readonly kind: "fused" }
  | { readonly kind: "program"; readonly program: LoweredProgram }
  | { readonly kind: "loop"; readonly program: LoweredProgram; readonly loop: LoweredProgram };

/** All that workers need to know of a run: plain data over shared memory. */
export interface Setup {
  readonly kind: "setup";
  readonly gradient: LoweredProgram;
  readonly update: UpdateMode;
  readonly batchSize: number;
  readonly minibatchSize: number;
  readonly replica: ReplicaLayout;
  readonly sources: readonly DataSource[];
  readonly evaluation:
    | { readonly source: DataSource; readonly programs: readonly EvaluationProgram[] }
    | undefined;
}

/**
 * Further memories that nodes' vectors lie in, behind so many others. Each is told once: a memory that is sent again is another
 * object to the worker, and views of the same vectors by the one and by the other do not seem to lie together.
 */
export interface Memories {
  readonly kind: "memories";
  readonly behind: number;
  readonly memories: readonly WebAssembly.Memory[];
}

/** The optimizer's numbers for each step of a task: for the fused kernel, or by name for a program, each [steps]. */
export type UpdateSteps = readonly FusedUpdate[] | ScalarTable;
export type ScalarTable = Readonly<Record<string, Float32Array>>;

/** A `LocalTask` whose vectors are told by where they lie. */
export interface RemoteTask {
  readonly operation: OperationName;
  readonly vectors: Readonly<Record<string, VectorAddress>>;
  readonly numbers: OperationNumbers;
}

export type StepExamples = Omit<StepBatch, "norms">;

export type Task =
  | {
      readonly kind: "gradient";
      readonly block: VectorAddress;
      readonly batch: StepExamples;
      /** [0] where the gradient's norm is wanted. */
      readonly normsOf: readonly number[];
      readonly afterwards: readonly RemoteTask[];
    }
  | {
      readonly kind: "update";
      readonly block: VectorAddress;
      readonly beforehand: readonly RemoteTask[];
      /** What to apply, where it is not the replica's own gradients. */
      readonly gradients?: VectorAddress | undefined;
      readonly steps: UpdateSteps;
    }
  | {
      readonly kind: "localSteps";
      readonly block: VectorAddress;
      readonly beforehand: readonly RemoteTask[];
      readonly batch: StepExamples;
      /** Steps whose gradients' norms are wanted, by their place, ascending. */
      readonly normsOf: readonly number[];
      readonly steps: UpdateSteps;
      readonly afterwards: readonly RemoteTask[];
    }
  | { readonly kind: "local"; readonly task: RemoteTask }
  | {
      readonly kind: "evaluate";
      readonly parameters: Float32Array;
      readonly buffers: Float32Array;
      readonly indices: Uint32Array;
    };

export type LocalSteps = Extract<Task, { kind: "localSteps" }>;
export type LoopedSteps = Pick<LocalSteps, "block" | "batch" | "steps">;

/**
 * Losses by step, then the norms that are wanted; for an evaluation the sums over its examples: [loss, right answers], the
 * latter NaN where there are none.
 */
export type TaskResult = Float64Array;

/** The steps of a looped task from `start` up to `end`. */
export function partOf({ block, batch, steps }: LocalSteps, start: number, end: number): LoopedSteps {
  const { source, indices, keys } = batch;
  const size = indices.length / (keys.length / 2);
  const part = ([name, values]: readonly [string, Float32Array]) => [name, values.subarray(start, end)];
  const examples = indices.subarray(start * size, end * size);
  return {
    block,
    batch: { source, indices: examples, keys: keys.subarray(2 * start, 2 * end) },
    steps: Object.fromEntries(Object.entries(steps as ScalarTable).map(part)) as ScalarTable,
  };
}
