// The one JSON object that a run ends with: on standard output under --json, and as summary.json.

import type { ConfigTree } from "@atoll/core";
import { type RunRecord, runEnd } from "@atoll/study";
import type { FitResult } from "@atoll/train";
import type { RunDirectory } from "@atoll/train/node";
import type { Terminal } from "./terminal.ts";

/**
 * A diverged run has done all its steps, and its loss, which is no finite number, is null in JSON: the outcome says so.
 * Seconds are simulated unless the name says wall; the three kinds of simulated time are means over the nodes. Faults are
 * there if the run was to meet any.
 * @param record the run as it stands in its directory: a resumed run's faults are those of all its parts
 */
export function runSummary(
  run: RunDirectory,
  result: FitResult,
  record: RunRecord,
  terminal: Terminal,
): ConfigTree {
  const { nodes, evaluation } = result;
  const { outcome, faults } = runEnd(record);
  const mean = (kind: "compute" | "communication" | "waiting"): number =>
    nodes.reduce((sum, time) => sum + time[kind], 0) / nodes.length;
  return {
    name: run.name,
    runDir: run.path,
    strategy: result.strategy,
    nodes: nodes.length,
    steps: result.steps,
    outcome,
    seed: result.seed,
    loss: evaluation && { ...evaluation.loss },
    accuracy: evaluation?.accuracy ? { ...evaluation.accuracy } : null,
    simulatedSeconds: result.simulatedSeconds,
    wallSeconds: result.wallSeconds,
    computeSeconds: mean("compute"),
    communicationSeconds: mean("communication"),
    waitingSeconds: mean("waiting"),
    bytesSent: result.bytesSent,
    parameters: result.parameterCount,
    peakRssBytes: terminal.peakRssBytes(),
    ...(faults === null ? {} : { faults }),
  };
}
