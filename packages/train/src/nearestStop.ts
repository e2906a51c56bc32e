// Where the nodes of a run can stop that is told to in mid-segment.

export interface NodeAtWork {
  /** Steps done. */
  readonly step: number;
  /** Steps done or under way: the earliest step at which the node can stop. */
  readonly committed: number;
}

/** The first step at which all nodes can stop; under an asynchronous strategy, at which the last of them can. */
export function nearestStop(nodes: readonly NodeAtWork[], isAsynchronous: boolean): number {
  const committed = nodes.map((node) => node.committed);
  if (!isAsynchronous) return Math.max(...committed);
  let stop = Math.min(...committed);
  // No node that has yet to come there may be under way to a later step.
  for (const node of nodes.toSorted((a, b) => a.committed - b.committed))
    if (node.step < stop) stop = Math.max(stop, node.committed);
  return stop;
}
