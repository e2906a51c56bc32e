// A run in the figures that runs are compared by, for the table at the head of a report and for programs.

import { dollarsOf, type Prices } from "../prices.ts";
import {
  describeChoice,
  finalEvaluation,
  meanBytesSent,
  networkName,
  type Outcome,
  simulatedSeconds,
} from "../run.ts";
import type { ReportedRun } from "./reportedRun.ts";

/** Null stands for what the run did not come to or did not record. */
export interface RunSummary {
  readonly name: string;
  readonly experiment: string | null;
  readonly strategy: string | null;
  /** With its options: "fedavg (H=20)". */
  readonly strategyOptions: string | null;
  readonly nodes: number | null;
  /** "ring, wan". */
  readonly network: string | null;
  readonly outcome: Outcome["kind"];
  readonly steps: number;
  /** Of the average of all nodes' models on the test set or else the last on the validation set, or of the last step. */
  readonly loss: number | null;
  readonly lossOf: "test" | "validation" | "training" | null;
  readonly accuracy: number | null;
  readonly simulatedSeconds: number | null;
  /** Sent, mean over the nodes. */
  readonly bytesPerNode: number | null;
  /** Sent by all nodes; of a run that has not ended, the mean of its last step times its nodes. */
  readonly totalBytes: number | null;
  readonly dollars: number | null;
}

export function summaryOf(run: ReportedRun, prices: Prices | null): RunSummary {
  const { label, started, settings, outcome, stepsDone } = run;
  const evaluated = finalEvaluation(run);
  const trained = run.steps.loss.at(-1) ?? null;
  const seconds = simulatedSeconds(run);
  const bytes = totalBytes(run);
  const nodes = started?.nodes ?? null;
  const choice = describeChoice(settings.strategy);
  return {
    name: label,
    experiment: describeChoice(settings.experiment),
    strategy: started?.strategy ?? choice,
    strategyOptions: choice,
    nodes,
    network: networkName(run),
    outcome: outcome.kind,
    steps: stepsDone,
    loss: evaluated?.loss.global ?? trained,
    lossOf: evaluated?.split ?? (trained === null ? null : "training"),
    accuracy: evaluated?.accuracy?.global ?? null,
    simulatedSeconds: seconds,
    bytesPerNode: meanBytesSent(run),
    totalBytes: bytes,
    dollars:
      prices === null || nodes === null || seconds === null || bytes === null
        ? null
        : dollarsOf({ nodes, seconds, bytes }, prices),
  };
}

function totalBytes(run: ReportedRun): number | null {
  const sent = run.finished?.bytesSent ?? [];
  if (sent.length > 0) return sent.reduce((total, bytes) => total + bytes, 0);
  const mean = meanBytesSent(run);
  return mean === null || run.started === null ? null : mean * run.started.nodes;
}
