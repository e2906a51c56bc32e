// The steps and evaluations of a run that may have gone back. After a roll-back the steps beyond the checkpoint are done
// again, so the log holds them twice: this tells those that the fitted model went through from those that were in vain.
// A log without roll-backs comes out as it is. What happened on the nodes meanwhile is the business of faults.ts.

import type { Evaluated, FaultHappened, Recorded, RunEvent, StepDone } from "@atoll/core";

/** Steps as columns of equal length, in the order in which they were done. */
export interface StepColumns {
  readonly step: readonly number[];
  readonly loss: readonly number[];
  readonly learningRate: readonly number[];
  /** Simulated seconds. */
  readonly time: readonly number[];
  /** Mean over the nodes. */
  readonly bytesSent: readonly number[];
}

/** A fault that changed how all nodes went on, and how far the run had come then. */
export interface Turn {
  readonly kind: "goneOn" | "rolledBack";
  readonly step: number;
  /** Simulated seconds. */
  readonly time: number;
  readonly bytesSent: number;
}

export interface History {
  /** Steps that count: each once, as it was done last, in step order. */
  readonly steps: StepColumns;
  /** Indices into `steps`: between each of these and the one before it lies what a roll-back undid. */
  readonly resumptions: readonly number[];
  /** Steps that were undone, one stretch for each roll-back that undid any. */
  readonly undone: readonly StepColumns[];
  readonly evaluations: readonly Evaluated[];
  /** What the run was asked to record of steps that count. */
  readonly records: readonly Recorded[];
  /** How many evaluations were of steps that were undone. */
  readonly undoneEvaluations: number;
  readonly turns: readonly Turn[];
}

/** What counts so far, while a log is read. */
interface Draft {
  readonly steps: StepDone[];
  readonly resumedAt: Set<StepDone>;
  readonly undone: StepDone[][];
  readonly evaluations: Evaluated[];
  readonly records: Recorded[];
  readonly turns: Turn[];
  /** Set from a roll-back to the next step. */
  isBack: boolean;
}

/** Reads the history of a run from its events, in the order in which they were written; total. */
export function readHistory(events: readonly RunEvent[]): History {
  const draft: Draft = {
    steps: [],
    resumedAt: new Set(),
    undone: [],
    evaluations: [],
    records: [],
    turns: [],
    isBack: false,
  };
  let evaluated = 0;
  for (const event of events) {
    if (event.type === "step") addStep(draft, event);
    else if (event.type === "fault") addFault(draft, event);
    else if (event.type === "recorded") draft.records.push(event);
    else if (event.type === "evaluation") {
      draft.evaluations.push(event);
      evaluated++;
    }
  }
  const { steps, resumedAt, undone, evaluations, records, turns } = draft;
  return {
    steps: columnsOf(steps),
    resumptions: steps.flatMap((step, i) => (i > 0 && resumedAt.has(step) ? [i] : [])),
    undone: undone.map(columnsOf),
    evaluations,
    records,
    undoneEvaluations: evaluated - evaluations.length,
    turns,
  };
}

function addStep(draft: Draft, event: StepDone): void {
  // A log of which lines were lost may go back without saying so.
  const isAgain = draft.steps.length > 0 && draft.steps.at(-1)!.step >= event.step;
  if (isAgain) undo(draft, event.step - 1);
  if (isAgain || draft.isBack) draft.resumedAt.add(event);
  draft.isBack = false;
  draft.steps.push(event);
}

function addFault(draft: Draft, { kind, time, ranks, step }: FaultHappened): void {
  const isTurn = kind === "rolledBack" || (kind === "goneOn" && ranks.length > 0);
  if (!isTurn) return;
  const last = draft.steps.at(-1);
  draft.turns.push({ kind, time, step: last?.step ?? 0, bytesSent: last?.bytesSent ?? 0 });
  if (kind !== "rolledBack" || step === undefined) return;
  undo(draft, step);
  draft.isBack = true;
}

/** Takes out what came after a step. */
function undo(draft: Draft, after: number): void {
  const { steps, undone, evaluations, records } = draft;
  let kept = steps.length;
  while (kept > 0 && steps[kept - 1]!.step > after) kept--;
  const stretch = steps.splice(kept);
  if (stretch.length > 0) undone.push(stretch);
  while (evaluations.length > 0 && evaluations.at(-1)!.step > after) evaluations.pop();
  while (records.length > 0 && records.at(-1)!.step > after) records.pop();
}

/**
 * Who takes part in a step changes under faults, so the slowest node's clock and the mean of bytes can fall from one step
 * to the next. Readers want to know by when and for what a step was reached: the most that was seen up to it.
 */
function columnsOf(steps: readonly StepDone[]): StepColumns {
  return {
    step: steps.map(({ step }) => step),
    loss: steps.map(({ loss }) => loss),
    learningRate: steps.map(({ learningRate }) => learningRate),
    time: mostSoFar(steps.map(({ time }) => time)),
    bytesSent: mostSoFar(steps.map(({ bytesSent }) => bytesSent)),
  };
}

function mostSoFar(values: readonly number[]): readonly number[] {
  let most = Number.NEGATIVE_INFINITY;
  return values.map((value) => {
    most = Math.max(most, value);
    return most;
  });
}
