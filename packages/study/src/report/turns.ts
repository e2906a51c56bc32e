// How the loss panels show that a run went back: steps that a roll-back undid are a line of their own, what counts has a
// gap where they lie between, and the turns themselves are marks. Joined to one line they would make a zigzag that no
// model went through.

import type { StepColumns } from "../history.ts";
import type { Run } from "../run.ts";
import type { Abscissa } from "./abscissa.ts";
import { extremes } from "./figure/downsample.ts";
import type { LegendEntry } from "./figure/legend.ts";
import type { LineSeries, TurnMarks } from "./figure/linePanel.ts";

/** Shares of all undone steps of which the lowest and highest are drawn. */
const UNDONE_BINS = 300;
/** Gaps below this part of the axis are less than two pixels wide, and many of them would leave no line. */
const LEAST_GAP = 0.004;

interface Points {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** The undone steps as one series, with a point without a value between two stretches; null if there are none. */
export function undoneLine({ history: { undone } }: Run, { column }: Abscissa): LineSeries | null {
  const points = undone.flatMap((columns: StepColumns, stretch) =>
    column(columns).map((x, i) => ({ x, y: columns.loss[i]!, stretch })),
  );
  if (points.length === 0) return null;
  const shown = extremes(
    points.map(({ y }) => y),
    UNDONE_BINS,
  ).map((i) => points[i]!);
  const x: number[] = [];
  const y: number[] = [];
  shown.forEach((point, i) => {
    if (i > 0 && shown[i - 1]!.stretch !== point.stretch) {
      x.push(point.x);
      y.push(Number.NaN);
    }
    x.push(point.x);
    y.push(point.y);
  });
  return { kind: "undone", x, y };
}

/**
 * The points with one without a value wherever undone steps lie between two of them.
 * @param points x ascending
 * @param maximum where the axis ends
 */
export function withGaps(points: Points, run: Run, { values, whole }: Abscissa, maximum: number): Points {
  // Steps that count follow on each other, whatever came between them.
  if (whole) return points;
  const gaps = run.history.resumptions
    .map((i) => ({ before: values[i - 1]!, after: values[i]! }))
    .filter(({ before, after }) => after - before > LEAST_GAP * maximum);
  if (gaps.length === 0) return points;
  const x: number[] = [];
  const y: number[] = [];
  let next = 0;
  points.x.forEach((value, i) => {
    while (next < gaps.length && gaps[next]!.after <= value) {
      if (i > 0 && points.x[i - 1]! <= gaps[next]!.before) {
        x.push(gaps[next]!.before);
        y.push(Number.NaN);
      }
      next++;
    }
    x.push(value);
    y.push(points.y[i]!);
  });
  return { x, y };
}

export function turnMarks({ history: { turns } }: Run, { of }: Abscissa): TurnMarks {
  const places = (wanted: "goneOn" | "rolledBack"): readonly number[] =>
    turns.filter(({ kind }) => kind === wanted).map(of);
  return { rolledBack: places("rolledBack"), goneOn: places("goneOn") };
}

export function turnLegend({ history: { undone, turns } }: Run): readonly LegendEntry[] {
  const has = (wanted: "goneOn" | "rolledBack"): boolean => turns.some(({ kind }) => kind === wanted);
  return [
    ...(undone.length > 0
      ? [{ mark: { kind: "line", series: "undone" } as const, label: "training, undone by a roll-back" }]
      : []),
    ...(has("rolledBack") ? [{ mark: { kind: "rolledBack" } as const, label: "roll-back" }] : []),
    ...(has("goneOn") ? [{ mark: { kind: "goneOn" } as const, label: "goes on without some nodes" }] : []),
  ];
}

/** What a reader has to know of the panels of a run that met faults; null if there is nothing. */
export function turnNote({ history: { undone, undoneEvaluations, turns } }: Run): string | null {
  const sentences: string[] = [];
  if (turns.length > 0)
    sentences.push(
      "Roll-backs and exchanges without some nodes stand where the last step before them does, in time where they happened.",
    );
  if (undone.length > 0)
    sentences.push(
      "Steps after a roll-back are done again: the lines and the cursor show each step as it counts, and what was undone is dotted.",
    );
  if (undoneEvaluations > 0) sentences.push("Evaluations that were undone are left out.");
  return sentences.length > 0 ? `${sentences.join(" ")} ` : null;
}
