// Which all-reduce algorithm a run went by: floats are added up in the algorithm's order, so a run that is timed on another
// network has to keep it, whatever that network would choose by itself.

import { ALL_REDUCE_ALGORITHMS, type AllReduceAlgorithm, type AllReduceChoice } from "@atoll/comm";
import { ConfigError, type RunEvent } from "@atoll/core";

/** Plain all-reduces by the size of their group and the algorithm: "3 ring". */
export function allReduceKinds(events: readonly RunEvent[]): ReadonlySet<string> {
  const kinds = new Set<string>();
  for (const event of events)
    if (event.type === "collective")
      for (const algorithm of allReduceAlgorithms([event])) kinds.add(`${event.ranks.length} ${algorithm}`);
  return kinds;
}

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
 * What to ask for elsewhere, so that all-reduces add up in the recorded order: the one algorithm that they went by or, if
 * there were several, the one asked for, whose fallbacks are decided by the groups' sizes.
 * @param asked what the recorded run asked for
 * @throws ConfigError if there were several under "auto", which decides by the network
 */
export function pinnedAlgorithm(events: readonly RunEvent[], asked: AllReduceChoice): AllReduceChoice {
  const [first, ...others] = allReduceAlgorithms(events);
  if (others.length === 0) return first ?? asked;
  if (asked !== "auto") return asked;
  throw new ConfigError(
    `The recorded run's all-reduces went by several algorithms (${[first, ...others].join(", ")}), which no other network can be held to. Train with one of them, as allReduce=${first}, and reprice that run.`,
  );
}
