// Times a schedule whose transfers never share a capacity: every transfer has its path to itself, so the time of each
// member after each round follows from the round before. Exact: the flow-level simulation (replay.ts) of the same schedule
// gives the same times, and takes far longer (benchmarks/network).

import type { Rank, Seconds } from "@atoll/core";
import type { Take } from "./occupancy.ts";
import type { Path } from "./path.ts";
import { type TransferSchedule, transferBytes } from "./schedule.ts";
import { Senders } from "./senders.ts";

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
      if (senderOf[target] !== -1 || path(ranks[source]!, ranks[target]!).hops !== 1) return false;
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
  const senders = new Senders(ranks, path);
  const { targetOf, rates, places, ends, ahead, stride } = senders;
  for (const round of rounds()) {
    const { sources, targets, chunks, chunkCounts } = round;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i]!;
      const target = targets[i]!;
      if (targetOf[source] !== target) senders.turnTo(source, target);
      if (places[source] === ends[source]) senders.foresee(source);
      const place = places[source]!;
      places[source] = place + stride;
      let size = chunkCounts === undefined ? chunkBytes[chunks[i]!]! : transferBytes(chunkBytes, round, i);
      let rate = rates[source]!;
      let delay = ahead[place]!;
      if (size > ahead[place + 1]!) {
        const drawn = senders.draw(source, size, times[source]!);
        rate = Math.min(rate, drawn.limit);
        ({ size, delay } = drawn);
      }
      const begin = times[source]! + delay;
      const end = begin + size / rate;
      take?.(senders.pathOf(source).resources, begin, end, size);
      if (end > next[source]!) next[source] = end;
      if (end > next[target]!) next[target] = end;
    }
    times.set(next);
    [times, next] = [next, times];
  }
  senders.leave();
  return times;
}
