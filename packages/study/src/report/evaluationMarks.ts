// Evaluations as series for the figures: one for each split (validation, test) and model (local, global).

import type { Evaluated } from "@atoll/core";
import { formatCount, formatExact, formatPercent } from "../format.ts";
import { evenly } from "./figure/downsample.ts";
import type { LineSeries, PointSeries } from "./figure/linePanel.ts";

export interface EvaluationMarks {
  readonly split: Evaluated["split"];
  readonly model: "local" | "global";
  readonly evaluations: readonly Evaluated[];
  /** The quantity, one value for each evaluation. */
  readonly y: readonly number[];
  readonly tips: readonly string[];
}

/** Markers that a line of 450 pixels can carry. */
const MOST_MARKS = 120;

/** The series of `quantity`; those without a value are left out. With many evaluations, some at equal distances. */
export function evaluationMarks(
  evaluations: readonly Evaluated[],
  quantity: "loss" | "accuracy",
): readonly EvaluationMarks[] {
  const series: EvaluationMarks[] = [];
  for (const split of ["validation", "test"] as const) {
    const all = evaluations.filter(
      (evaluation) => evaluation.split === split && evaluation[quantity] !== null,
    );
    const shown = evenly(all.length, MOST_MARKS).map((i) => all[i]!);
    if (shown.length === 0) continue;
    for (const model of ["local", "global"] as const) {
      series.push({
        split,
        model,
        evaluations: shown,
        y: shown.map((evaluation) => evaluation[quantity]![model]),
        tips: shown.map((evaluation) => evaluationTip(evaluation, model)),
      });
    }
  }
  return series;
}

/** The series as lines; a test at the end is a single point and has none. */
export const markLines = (
  marks: readonly EvaluationMarks[],
  x: (evaluation: Evaluated) => number,
): readonly LineSeries[] =>
  marks
    .filter(({ split }) => split === "validation")
    .map(({ model, evaluations, y }) => ({ kind: model, x: evaluations.map(x), y }));

/** The series as points: circles for the validation set, diamonds for the test set. */
export const markPoints = (
  marks: readonly EvaluationMarks[],
  x: (evaluation: Evaluated) => number,
): readonly PointSeries[] =>
  marks.map(({ model, split, evaluations, y, tips }) => ({
    kind: model,
    shape: split === "test" ? "diamond" : "circle",
    x: evaluations.map(x),
    y,
    tips,
  }));

function evaluationTip(
  { split, step, time, bytesSent, loss, accuracy }: Evaluated,
  model: "local" | "global",
): string {
  return [
    `${split}, ${model} model, step ${formatCount(step)}`,
    `loss ${formatExact(loss[model])}`,
    ...(accuracy === null ? [] : [`accuracy ${formatPercent(accuracy[model])}`]),
    `time ${formatExact(time)} s`,
    `sent per node ${formatCount(bytesSent)} B`,
  ].join("\n");
}
