// What losses and accuracies are drawn against: steps, simulated time, bytes.

import { max } from "d3-array";
import type { StepColumns } from "../history.ts";
import { type Run, timeName } from "../run.ts";
import { type Axis, byteUnit, linearAxis, noUnit, timeUnit, type Unit } from "./figure/axis.ts";
import { panelBox } from "./figure/linePanel.ts";

/** How far a run has come: at an evaluation, or when something happened to it. */
export interface Place {
  readonly step: number;
  readonly time: number;
  readonly bytesSent: number;
}

export interface Abscissa {
  readonly name: string;
  /** The quantity at each step that counts, ascending. */
  readonly values: readonly number[];
  readonly column: (steps: StepColumns) => readonly number[];
  readonly of: (place: Place) => number;
  readonly unit: (maximum: number) => Unit;
  readonly whole: boolean;
  /** What to say where the run has none of it. */
  readonly nothing: string;
}

export const againstSteps = ({ steps }: Run): Abscissa => ({
  name: "steps",
  values: steps.step,
  column: ({ step }) => step,
  of: ({ step }) => step,
  unit: () => noUnit,
  whole: true,
  nothing: "No step was finished, so there is no loss against steps.",
});

export const againstTime = ({ steps, started }: Run): Abscissa => ({
  name: timeName({ started }),
  values: steps.time,
  column: ({ time }) => time,
  of: ({ time }) => time,
  unit: timeUnit,
  whole: false,
  nothing: "No time passed, so there is no loss against time.",
});

export const againstBytes = ({ steps }: Run): Abscissa => ({
  name: "bytes sent per node",
  values: steps.bytesSent,
  column: ({ bytesSent }) => bytesSent,
  of: ({ bytesSent }) => bytesSent,
  unit: byteUnit,
  whole: false,
  nothing: "No bytes were sent, so there is no loss against bytes.",
});

/** The largest value that the run came to, undone or not. */
export function maximumOf({ values, column, of }: Abscissa, { evaluations, history }: Run): number {
  const undone = history.undone.map((steps) => column(steps).at(-1) ?? 0);
  return Math.max(
    values.at(-1) ?? 0,
    max([...undone, ...evaluations.map(of), ...history.turns.map(of)]) ?? 0,
    0,
  );
}

/** From zero to the run's end, for a panel. */
export function abscissaAxis(abscissa: Abscissa, run: Run): Axis {
  const maximum = maximumOf(abscissa, run);
  const { name, unit, whole } = abscissa;
  const range = [panelBox.left, panelBox.right] as const;
  return linearAxis({ domain: [0, maximum], range, label: name, unit: unit(maximum), whole });
}

/** Where a panel's y axis lies: a little below the upper edge, which marks values that are not finite. */
export const ordinateRange: readonly [number, number] = [panelBox.bottom, panelBox.top + 8];
