// Piecewise constant functions of simulated time: what the capacity of a link is when it follows a measured trace or is
// shared with other people's traffic. This file only knows how to combine such functions and how long bytes take at a rate
// that is one; where values come from is in trace.ts and background.ts.
// Time is absolute, so a run that goes on from a checkpoint sees what it would have seen without one.

/** A function of time in seconds that is constant between changes, and from a change on has its new value. */
export interface Steps {
  at(time: number): number;
  /** The first moment after `time` at which the value may be another; Infinity if there is none. */
  nextChange(time: number): number;
}

/** The rate of a transfer as such a function, in bytes per second. */
export interface Rate extends Steps {
  /** Whether the rate is 0 at a moment only since others take what there is, which ends. Default: it never is. */
  isHeldUp?(time: number): boolean;
}

/** The product of two such functions; while the first is 0, changes of the second are none. */
export function product(a: Steps, b: Steps): Steps {
  return {
    at: (time) => a.at(time) * b.at(time),
    nextChange: (time) =>
      a.at(time) === 0 ? a.nextChange(time) : Math.min(a.nextChange(time), b.nextChange(time)),
  };
}

/** The same function, `factor` times as high. */
export const scaled = (steps: Steps, factor: number): Steps => ({
  at: (time) => steps.at(time) * factor,
  nextChange: (time) => steps.nextChange(time),
});

/**
 * A rate that is 0 for so many changes on end counts as one that stays 0: other links may go down and come up for ever, and
 * nobody can tell from a schedule drawn by chance that two nodes will never reach each other again. Changes at which a transfer
 * is merely held up do not count.
 */
export const MOST_IDLE_CHANGES = 100_000;

/**
 * When the last of `size` bytes has moved that begin to at `begin`, at a rate in bytes per second: the least t for which
 * the integral of the rate from `begin` to t is `size`. Infinity if the rate is and stays 0.
 * @param moved is told how many bytes moved between two changes of the rate
 */
export function endOf(
  size: number,
  begin: number,
  rate: Rate,
  moved?: (from: number, until: number, bytes: number) => void,
): number {
  if (size === 0) return begin;
  let left = size;
  let idle = 0;
  for (let time = begin; idle < MOST_IDLE_CHANGES; ) {
    const now = rate.at(time);
    const until = rate.nextChange(time);
    idle = now > 0 || rate.isHeldUp?.(time) ? 0 : idle + 1;
    const end = time + left / now;
    if (end <= until) {
      if (now > 0) moved?.(time, end, left);
      return end;
    }
    if (now > 0) moved?.(time, until, now * (until - time));
    left = Math.max(0, left - now * (until - time));
    // Rounding may find that nothing is left where the division found that a moment is.
    if (left === 0) return until;
    time = until;
  }
  return Number.POSITIVE_INFINITY;
}
