// What a comparison needs to know of a run: how its loss fell, and what it cost. The record itself may be as long as the run.

import type { RunRecord } from "../record.ts";
import { finalEvaluation, interpretRun, type Run, treeOf } from "../run.ts";
import { type RunCosts, runCosts } from "../runCosts.ts";

/** A loss, and what it had cost by then. */
export interface CurvePoint {
  readonly step: number;
  /** Simulated seconds. */
  readonly time: number;
  /** Sent by all nodes together. */
  readonly bytes: number;
  readonly loss: number;
}

export interface RunFacts {
  readonly seed: number;
  readonly steps: number;
  readonly costs: RunCosts;
  /** Whether anything that a node sent had come to another by the run's end. */
  readonly heard: boolean;
  /** Floating-point operations of a step of all nodes together; null where the run does not say. */
  readonly flopsPerStep: number | null;
  /** What the losses are of: evaluations of the average of all nodes' models or, without any, the training batches. */
  readonly curveOf: "evaluations" | "training";
  readonly curve: readonly CurvePoint[];
  /** Of the last evaluation, or else of the last step; NaN for a run that has diverged. */
  readonly loss: number;
  /** Null where the model has none. */
  readonly accuracy: number | null;
}

/** The facts of a run that has come to its end. */
export function runFacts(record: RunRecord): RunFacts {
  const run = interpretRun(record);
  const nodes = run.started?.nodes ?? 1;
  const last = finalEvaluation(run);
  const { flopsPerStep } = treeOf(run.settings.compute);
  const { step, loss, time, bytesSent } = run.steps;
  const evaluated = run.evaluations.map((evaluation) => ({
    step: evaluation.step,
    time: evaluation.time,
    bytes: evaluation.bytesSent * nodes,
    loss: evaluation.loss.global,
  }));
  const trained = (): readonly CurvePoint[] =>
    step.map((number, i) => ({
      step: number,
      time: time[i]!,
      bytes: bytesSent[i]! * nodes,
      loss: loss[i]!,
    }));
  const costs = runCosts(record);
  return {
    seed: run.started?.seed ?? 0,
    steps: run.stepsDone,
    costs,
    heard: costs.totalBytes > 0 && hasArrived(run, costs.simulatedSeconds),
    flopsPerStep: typeof flopsPerStep === "number" ? flopsPerStep * nodes : null,
    curveOf: evaluated.length > 0 ? "evaluations" : "training",
    curve: evaluated.length > 0 ? evaluated : trained(),
    loss: last?.loss.global ?? loss.at(-1) ?? Number.NaN,
    accuracy: last?.accuracy?.global ?? null,
  };
}

/** A collective is done for its first member, a message for its receiver. A log without any tells nothing of it. */
const hasArrived = ({ collectives }: Run, end: number): boolean =>
  collectives.length === 0 ||
  collectives.some((done) => (done.operation === "send" ? done.end[1]! : Math.min(...done.end)) <= end);

/** The lowest loss of the curve; infinite where none is a number. */
export const bestLoss = ({ curve }: RunFacts): number =>
  curve.reduce((least, { loss }) => (loss < least ? loss : least), Number.POSITIVE_INFINITY);

/** Where the curve first comes to a loss, undefined if it does not. */
export const reaching = ({ curve }: RunFacts, target: number): CurvePoint | undefined =>
  curve.find(({ loss }) => loss <= target);
