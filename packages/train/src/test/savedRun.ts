// One run in a directory, the same wherever it is started: by a test, or by a process that is killed on the way.

import type { RunEvent } from "@atoll/core";
import type { FitResult } from "../localTrainer.ts";
import { LocalTrainer, type LocalTrainerOptions } from "../node/localTrainer.ts";
import type { RunDirectory } from "../node/runDirectory.ts";
import type { FitOptions } from "../options.ts";
import { diLoCo } from "../strategies/index.ts";
import { clouds, perceptron } from "./runs.ts";

export const STEPS = 20;
export const CHECKPOINT_INTERVAL = 4;

/** Trains into a run directory, from its checkpoint if it has one. */
export function savedRun(
  run: RunDirectory,
  { workers, ...options }: Partial<FitOptions> & Pick<LocalTrainerOptions, "workers"> = {},
  onEvent: (event: RunEvent) => void = () => {},
): Promise<FitResult> {
  const resume = run.resumeSnapshot();
  return new LocalTrainer({
    model: perceptron({ rate: 0.3, normed: true }),
    train: clouds(150),
    validation: clouds(50, 2),
    ...(workers === undefined ? {} : { workers }),
  }).fit({
    strategy: diLoCo({ H: 6 }),
    nodes: 3,
    maxSteps: STEPS,
    batchSize: 8,
    seed: 3,
    valInterval: 4, // evaluations and checkpoints fall on the same steps
    checkpointInterval: CHECKPOINT_INTERVAL,
    network: { profile: "mobile" },
    name: run.name,
    checkpoints: run,
    ...(resume === undefined ? {} : { resume }),
    ...options,
    emit(event) {
      run.record(event);
      onEvent(event);
    },
  });
}
