// The executor that computes nothing: parameters stay as they were made, gradients zeros, losses and scores NaN. What a run
// under it comes to are times and bytes, which for strategies whose nodes wait for each other do not depend on what the
// vectors hold. It is no training: whoever uses it has the losses from elsewhere.

import type { Evaluation, Executor, ExecutorFactory } from "./executor.ts";
import { replicaLayout, replicaOver } from "./replica.ts";

export interface TimingOptions {
  /** Floating-point operations of one step of one node, as the real executor counts them; 0 where no time depends on it. */
  readonly flopsPerStep: number;
}

/** An executor for runs of which only times and bytes are asked. */
export const timingExecutor =
  ({ flopsPerStep }: TimingOptions): ExecutorFactory =>
  async ({ layout, bufferLayout, optimizer, model }): Promise<Executor> => {
    const replica = replicaLayout(layout, bufferLayout, optimizer.slots);
    const scores: Evaluation = {
      loss: Number.NaN,
      accuracy: model.correct === undefined ? null : Number.NaN,
    };
    return {
      name: "timing",
      flopsPerStep,
      allocate: () => replicaOver(replica, new Float32Array(replica.length)),
      gradient: async () => Number.NaN,
      update: async () => {},
      localSteps: async (_, { keys }) => new Float64Array(keys.length / 2).fill(Number.NaN),
      run: async () => {},
      evaluate: async () => scores,
      [Symbol.asyncDispose]: async () => {},
    };
  };
