// What a timeline comes to in the long run: after the first rounds, what happens repeats itself with the exchanges' common
// period, so one period says how long a step takes, and a run of any length is some of the first steps and then periods.
// A timeline is a max-plus linear system, whose increments become periodic (Baccelli et al., "Synchronization and
// linearity", 1992).

import { ConfigError } from "@atoll/core";
import { type Timeline, timesAfter } from "./timeline.ts";

/** Passes of layers that a period may have: what takes about a tenth of a second. */
const MOST_PASSES = 3e6;

interface Cycle {
  /** Steps before it. */
  readonly start: number;
  /** Steps of it. */
  readonly period: number;
}

/** @throws ConfigError if the exchanges have no common period that is short enough */
export function cycleOf(timeline: Timeline): { readonly secondsPerStep: number } {
  const { start, period } = findCycle(timeline);
  const [before, after] = timesAfter(timeline, [start, start + period]) as [number, number];
  return { secondsPerStep: (after - before) / period };
}

/** Seconds of the first so many steps, until what has to be waited for then has arrived. */
export function secondsOf(timeline: Timeline, steps: number): number {
  const { start, period } = findCycle(timeline);
  const periods = Math.max(0, Math.floor((steps - start) / period) - 1);
  const rest = steps - periods * period;
  const [time] = timesAfter(timeline, [rest]) as [number];
  return time + periods * period * cycleOf(timeline).secondsPerStep;
}

function findCycle({ exchanges, layers }: Timeline): Cycle {
  const lasting = exchanges.filter(({ until }) => until === Number.POSITIVE_INFINITY);
  const common = lasting.reduce((period, { every }) => leastCommonMultiple(period, every), 1);
  const begun = (steps: number): number => lasting.reduce((sum, { every }) => sum + steps / every, 0);
  if (begun(common) * layers > MOST_PASSES)
    throw new ConfigError(
      `The strategy's exchanges, every ${lasting.map(({ every }) => every).join(" and ")} steps, meet again only after ${common} steps, which is too long to plan. Choose numbers of steps of which one is a multiple of the other.`,
    );
  // Where latency is what is waited for, a step waits for the one so many before, and those between do not.
  const period = lasting.reduce((steps, { every, delay }) => {
    const longer = leastCommonMultiple(steps, every * Math.ceil((delay + 1) / every));
    return begun(longer) * layers > MOST_PASSES ? steps : longer;
  }, common);
  const first = exchanges.reduce((last, { until, from, delay }) => {
    const begins = until === Number.POSITIVE_INFINITY ? from - 1 : until;
    return Math.max(last, begins + delay);
  }, 0);
  return { period, start: (Math.ceil(first / period) + 1) * period };
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
