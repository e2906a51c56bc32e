// Which all-reduce algorithm a run went by: floats are added up in the algorithm's order, so a run that is timed on another
// network has to keep it, whatever that network would choose by itself.

import { ALL_REDUCE_ALGORITHMS, type AllReduceAlgorithm } from "@atoll/comm";
import { ConfigError, type RunEvent } from "@atoll/core";

/** The algorithms of a run's plain all-reduces; encoded ones have one of their own, which no network changes. */
export function allReduceAlgorithms(events: readonly RunEvent[]): ReadonlySet<AllReduceAlgorithm> {
  const used = new Set<AllReduceAlgorithm>();
  for (const event of events) {
    if (event.type !== "collective" || event.operation !== "allReduce") continue;
    // "ring (auto)" went by ring.
    const [name] = event.algorithm.split(" (");
    const known = ALL_REDUCE_ALGORITHMS.find((algorithm) => algorithm === name);
    if (known !== undefined) used.add(known);
  }
  return used;
}

/**
 * The one algorithm that a recorded run's all-reduces went by; undefined for a run without any.
 * @throws ConfigError if there were several, as under "auto" with vectors of different sizes
 */
export function pinnedAlgorithm(events: readonly RunEvent[]): AllReduceAlgorithm | undefined {
  const [first, ...others] = allReduceAlgorithms(events);
  if (others.length > 0)
    throw new ConfigError(
      `The recorded run's all-reduces went by several algorithms (${[first, ...others].join(", ")}), which no other network can be held to. Train with one of them, as allReduce=${first}, and reprice that run.`,
    );
  return first;
}
