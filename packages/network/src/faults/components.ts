// Which nodes reach each other while links are down.

import type { Rank } from "@atoll/core";
import type { Topology } from "../topology/topology.ts";
import type { FaultSchedule } from "./schedule.ts";

/**
 * The sets of running nodes that reach each other over links that are up at a moment, the largest first; of two equally large
 * ones that with the lowest rank.
 */
export function components(
  topology: Topology,
  faults: FaultSchedule,
  at: number,
): readonly ReadonlySet<Rank>[] {
  const unseen = new Set<Rank>();
  for (let rank = 0; rank < topology.worldSize; rank++) if (faults.isRunning(rank, at)) unseen.add(rank);
  const found: ReadonlySet<Rank>[] = [];
  for (const start of unseen) {
    unseen.delete(start);
    const component = new Set([start]);
    for (const rank of component)
      for (const other of unseen)
        if (topology.link(rank, other) !== undefined && faults.isUp(rank, other, at)) {
          unseen.delete(other);
          component.add(other);
        }
    found.push(component);
  }
  return found.sort((a, b) => b.size - a.size);
}

/**
 * The first of them. Nodes outside it cannot know whether the others go on, so only these do: two halves of a run would never
 * fit together again.
 */
export const primaryComponent = (topology: Topology, faults: FaultSchedule, at: number): ReadonlySet<Rank> =>
  components(topology, faults, at)[0] ?? new Set();
