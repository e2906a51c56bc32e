// Estimates the time of a schedule without simulating it, to choose between schedules.

import { type Seconds, seconds } from "@atoll/core";
import type { PathLookup } from "./recurrence.ts";
import { type TransferSchedule, transferBytes } from "./schedule.ts";

/** Rounds that are looked at; those of long schedules (rings) are alike. */
const SAMPLED_ROUNDS = 32;

/**
 * Sum over the rounds of the longest delay, plus the time of the resource that has most to carry for its capacity or of
 * the largest transfer at its path's own rate, whichever is longer.
 * @param capacities bytes per second by resource number
 */
export function estimateTime(
  { ranks, chunkBytes, rounds }: TransferSchedule,
  path: PathLookup,
  capacities: readonly number[],
): Seconds {
  let sampled = 0;
  let count = 0;
  for (const round of rounds()) {
    if (++count > SAMPLED_ROUNDS) continue;
    const loads = new Map<number, number>();
    let delay = 0;
    let longest = 0;
    for (let i = 0; i < round.sources.length; i++) {
      const way = path(ranks[round.sources[i]!]!, ranks[round.targets[i]!]!);
      const size = transferBytes(chunkBytes, round, i);
      delay = Math.max(delay, way.delay);
      longest = Math.max(longest, size / way.meanRate);
      for (const resource of way.resources) {
        const load = (loads.get(resource) ?? 0) + size / capacities[resource]!;
        loads.set(resource, load);
        longest = Math.max(longest, load);
      }
    }
    sampled += delay + longest;
  }
  return seconds(sampled * Math.max(1, count / SAMPLED_ROUNDS));
}
