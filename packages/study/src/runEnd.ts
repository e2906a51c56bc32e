// How a run ended and what its faults came to, in the few values of summary.json. The report tells of them at length.

import type { RunRecord } from "./record.ts";
import { faultCounts, interpretRun, type Outcome } from "./run.ts";

/** Numbers of things that happened, and of nodes that took part at the end. */
export type FaultSummary = {
  readonly crashes: number;
  readonly recoveries: number;
  readonly rollBacks: number;
  readonly stragglers: number;
  readonly outages: number;
  readonly nodesLeft: number;
};

/** The outcome of a run, and the counts of its faults: null for one that was to meet none and met none. */
export function runEnd(record: RunRecord): {
  readonly outcome: Outcome["kind"];
  readonly faults: FaultSummary | null;
} {
  const run = interpretRun(record);
  const outcome = run.outcome.kind;
  const counts = faultCounts(run);
  if (counts === null) return { outcome, faults: null };
  const { nodes: _, ...faults } = counts;
  return { outcome, faults };
}
