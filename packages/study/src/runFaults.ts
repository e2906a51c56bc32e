// What a run's faults came to, in the few numbers of summary.json. The report tells of them at length.

import type { RunRecord } from "./record.ts";
import { faultCounts, interpretRun } from "./run.ts";

/** Numbers of things that happened, and of nodes that took part at the end. */
export type FaultSummary = {
  readonly crashes: number;
  readonly recoveries: number;
  readonly rollBacks: number;
  readonly nodesLeft: number;
};

/** The counts of a run; null for one that was to meet no faults and met none. */
export function runFaults(record: RunRecord): FaultSummary | null {
  const counts = faultCounts(interpretRun(record));
  if (counts === null) return null;
  const { crashes, recoveries, rollBacks, nodesLeft } = counts;
  return { crashes, recoveries, rollBacks, nodesLeft };
}
