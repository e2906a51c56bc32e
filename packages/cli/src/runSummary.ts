// The one JSON object that a run ends with: on standard output under --json, and as summary.json.

import type { ConfigTree } from "@atoll/core";
import type { FitResult } from "@atoll/train";
import type { RunDirectory } from "@atoll/train/node";
import type { Terminal } from "./terminal.ts";

/** Seconds are simulated unless the name says wall; the three kinds of simulated time are means over the nodes. */
export function runSummary(run: RunDirectory, result: FitResult, terminal: Terminal): ConfigTree {
  const { nodes, evaluation } = result;
  const mean = (kind: "compute" | "communication" | "waiting"): number =>
    nodes.reduce((sum, time) => sum + time[kind], 0) / nodes.length;
  return {
    name: run.name,
    runDir: run.path,
    strategy: result.strategy,
    nodes: nodes.length,
    steps: result.steps,
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
  };
}
