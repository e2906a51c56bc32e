// What a run costs: simulated time by kind, bytes, and what its nodes and its traffic would be billed.

import type { RunRecord } from "./record.ts";
import { interpretRun, meanNodeTime, simulatedSeconds } from "./run.ts";

/** Simulated seconds; the three kinds are means over the nodes. */
export interface RunCosts {
  readonly simulatedSeconds: number;
  readonly computeSeconds: number;
  readonly communicationSeconds: number;
  readonly waitingSeconds: number;
  /** Sent by all nodes together. */
  readonly totalBytes: number;
  readonly nodes: number;
}

/** The costs of a run that has come to its end; zeros for what it did not record. */
export function runCosts(record: RunRecord): RunCosts {
  const run = interpretRun(record);
  const { compute, communication, waiting } = meanNodeTime(run) ?? {
    compute: 0,
    communication: 0,
    waiting: 0,
  };
  return {
    simulatedSeconds: simulatedSeconds(run) ?? 0,
    computeSeconds: compute,
    communicationSeconds: communication,
    waitingSeconds: waiting,
    totalBytes: (run.finished?.bytesSent ?? []).reduce((total, sent) => total + sent, 0),
    nodes: run.started?.nodes ?? 0,
  };
}
