// Measures how long training steps take on this machine, so that the virtual clock can use real durations. They are
// measured once, one step at a time, before the run; the run's config keeps them, and a replay uses those.

import type { ComputeOptions } from "./compute.ts";
import type { Executor } from "./executor.ts";
import type { PreparedRun } from "./prepare.ts";

const WARM_UP_STEPS = 3;
const MEASURED_STEPS = 20;

export interface MeasureContext {
  readonly executor: Executor;
  readonly prepared: PreparedRun;
  /** Milliseconds. */
  readonly wallClock: () => number;
  /** What the run that is resumed has measured. */
  readonly measured: readonly number[] | undefined;
}

/** Fills in the durations of a measured compute model that has none yet; leaves any other model as it is. */
export async function measureSteps(
  options: ComputeOptions,
  context: MeasureContext,
): Promise<ComputeOptions> {
  if (options.kind !== "measured" || options.durations !== undefined) return options;
  const { executor, prepared, wallClock, measured } = context;
  if (measured !== undefined) return { ...options, durations: measured };
  const scratch = executor.allocate();
  const durations: number[] = [];
  for (let step = 0; step < WARM_UP_STEPS + MEASURED_STEPS; step++) {
    const start = wallClock();
    await executor.gradient(scratch, prepared.trial);
    await executor.update(scratch, step);
    if (step >= WARM_UP_STEPS) durations.push((wallClock() - start) / 1000);
  }
  return { ...options, durations };
}
