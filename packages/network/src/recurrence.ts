// Times a schedule whose transfers never share a capacity: every transfer has its path to itself, so the time of each
// member after each round follows from the round before. Exact: the flow-level simulation (replay.ts) of the same schedule
// gives the same times, and takes far longer (benchmarks/network).

import type { Rank, Seconds } from "@atoll/core";
import type { Take } from "./occupancy.ts";
import type { Path } from "./path.ts";
import { type TransferSchedule, transferBytes } from "./schedule.ts";

export type PathLookup = (source: Rank, target: Rank) => Path;

/**
 * True if no two transfers can ever meet: a member sends at most one message a round, receives from one sender only, and
 * every message goes over a single link. Then each link direction and each NIC serves one sender, whose transfers follow
 * one another. Empty messages take no capacity and are not counted.
 */
export function isUncontended({ ranks, chunkBytes, rounds }: TransferSchedule, path: PathLookup): boolean {
  const senderOf = new Int32Array(ranks.length).fill(-1);
  const lastRound = new Int32Array(ranks.length).fill(-1);
  let number = 0;
  for (const round of rounds()) {
    const { sources, targets } = round;
    for (let i = 0; i < sources.length; i++) {
      if (transferBytes(chunkBytes, round, i) === 0) continue;
      const source = sources[i]!;
      const target = targets[i]!;
      if (lastRound[source] === number) return false;
      lastRound[source] = number;
      if (senderOf[target] === source) continue;
      if (senderOf[target] !== -1 || path(ranks[source]!, ranks[target]!).links.length !== 1) return false;
      senderOf[target] = source;
    }
    number++;
  }
  return true;
}

/**
 * When each member is done, given when each is ready. Time after a round = the latest end of the member's own transfers
 * in it; a transfer begins when its sender has come to the round and ends for both at once, delay + size / rate later.
 * @param take is told what each transfer takes
 */
export function timeByRecurrence(
  { ranks, chunkBytes, rounds }: TransferSchedule,
  ready: readonly Seconds[],
  path: PathLookup,
  take?: Take,
): Float64Array {
  let times = Float64Array.from(ready);
  let next = Float64Array.from(ready);
  const latest: (Path | undefined)[] = ranks.map(() => undefined);
  for (const round of rounds()) {
    const { sources, targets } = round;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i]!;
      const target = targets[i]!;
      const targetRank = ranks[target]!;
      let way = latest[source];
      if (way === undefined || way.target !== targetRank) {
        way = path(ranks[source]!, targetRank);
        latest[source] = way;
      }
      const { delay, size, limit } = way.draw(transferBytes(chunkBytes, round, i), times[source]!);
      const end = times[source]! + delay + size / Math.min(way.rate, limit);
      take?.(way.resources, times[source]! + delay, end, size);
      if (end > next[source]!) next[source] = end;
      if (end > next[target]!) next[target] = end;
    }
    times.set(next);
    [times, next] = [next, times];
  }
  return times;
}
