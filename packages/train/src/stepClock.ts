// A node's clock, with steps on it: on the virtual clock they take the seconds that they are given, on a real one
// (node/processes/rankClock.ts) at least those.

import { type Seconds, seconds } from "@atoll/core";
import type { Clock } from "@atoll/network";

export interface StepsDone<T> {
  readonly value: T;
  /** When each step ended. */
  readonly ends: readonly Seconds[];
}

export interface StepClock extends Clock {
  /** Lets steps pass, one after the other, while their real work is done. @param durations seconds of each */
  steps<T>(durations: readonly Seconds[], real: Promise<T>): Promise<StepsDone<T>>;
}

/** The steps of a node on the virtual clock. */
export const virtualSteps = (clock: Clock): StepClock => ({
  now: () => clock.now(),
  sleep: (duration) => clock.sleep(duration),
  work: (duration, real) => clock.work(duration, real),
  async steps(durations, real) {
    let time: number = clock.now();
    const value = await pass(clock, durations, real);
    const ends = durations.map((duration) => {
      time += duration;
      return seconds(time);
    });
    return { value, ends };
  },
});

/**
 * Lets steps pass on the clock while their real work is done. Each step ends at a moment of its own, reached by one
 * addition: so a run of steps that an evaluation or a resume cuts in two takes the same times to the last bit.
 */
async function pass<T>(clock: Clock, durations: readonly Seconds[], real: Promise<T>): Promise<T> {
  if (durations.length === 1) return clock.work(durations[0]!, real);
  const untilLast = durations.slice(0, -1).reduce((sum, duration) => sum + duration, 0);
  const passing = async (): Promise<void> => {
    for (const duration of durations) await clock.sleep(duration);
  };
  const [result] = await Promise.all([clock.work(seconds(untilLast), real), passing()]);
  return result;
}
