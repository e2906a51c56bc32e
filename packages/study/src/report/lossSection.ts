// The loss against the three things it costs: steps, simulated seconds and bytes. Same y in all three, so that they
// can be compared; a fourth panel holds the accuracy, or the learning rate where the model has no accuracy.

import { extent } from "d3-array";
import { formatCount, formatExact } from "../format.ts";
import type { Run } from "../run.ts";
import {
  type Abscissa,
  abscissaAxis,
  againstBytes,
  againstSteps,
  againstTime,
  maximumOf,
  ordinateRange,
} from "./abscissa.ts";
import { accuracyPanel } from "./accuracyPanel.ts";
import { type EvaluationMarks, evaluationMarks, markLines, markPoints } from "./evaluationMarks.ts";
import { type Axis, linearAxis, logAxis } from "./figure/axis.ts";
import { extremes } from "./figure/downsample.ts";
import { figure } from "./figure/figure.ts";
import type { LegendEntry } from "./figure/legend.ts";
import { type LineSeries, linePanel, panelBox } from "./figure/linePanel.ts";
import { type Mean, runningMean } from "./figure/runningMean.ts";
import { type Content, html, jsonScript, type Markup } from "./html.ts";
import { learningRatePanel } from "./learningRatePanel.ts";
import { lossOfRuns } from "./lossOfRuns.ts";
import type { ReportedRun } from "./reportedRun.ts";
import { type ReportOptions, section } from "./section.ts";
import { emptyState } from "./table.ts";
import { turnLegend, turnMarks, turnNote, undoneLine, withGaps } from "./turns.ts";

/** Shares of the series of which the lowest and highest point are drawn: about one and a half a pixel. */
const BINS = 600;
/** Places of the running mean: fewer, since it is smooth. */
const MEAN_POINTS = 400;

/** Id of the texts that the cursor shows, one for each step that is drawn. */
const TIPS = "step-tips";

type YScale = "linear" | "log";

/** The training loss against one abscissa: every step that is drawn, and the running mean. Both scales draw it. */
interface Curve {
  readonly abscissa: Abscissa;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly mean: Mean;
}

export function lossSection(runs: readonly ReportedRun[], options: ReportOptions): Markup {
  return section("loss", "Loss", runs.length === 1 ? lossOfRun(runs[0]!) : lossOfRuns(runs, options));
}

function lossOfRun(run: Run): Content {
  const { steps } = run;
  const marks = evaluationMarks(run.evaluations, "loss");
  if (steps.step.length === 0 && run.history.undone.length === 0 && marks.length === 0)
    return emptyState("No step was finished, so there is no loss to show.");
  const scales = yScales(run, marks);
  const shown = extremes(steps.loss, BINS);
  const curves = [againstSteps, againstTime, againstBytes].map((against) =>
    curveOf(run, against(run), shown),
  );
  const beside = accuracyPanel(run) ?? learningRatePanel(run, shown, TIPS);
  const panels = curves.map((curve) => ({
    forms: scales.map((scale) => lossPanel(run, curve, marks, scale)),
  }));
  const { window } = curves[0]!.mean;
  return [
    scaleSwitch(scales),
    figure({
      name: "loss",
      title: `Loss of ${run.name} against steps, time and bytes`,
      legend: legendOf(run, marks, window),
      panels: [...panels, ...(beside === null ? [] : [beside])],
      layout: "grid",
      caption: caption(run, window, shown.length),
    }),
    jsonScript(
      TIPS,
      shown.map((i) => stepTip(run, i)),
    ),
  ];
}

/** The scales on offer, the better one first: a loss that falls by more than a factor of 50 needs a logarithm. */
function yScales(run: Run, marks: readonly EvaluationMarks[]): readonly YScale[] {
  const [low, high] = lossDomain(run, marks, "log");
  if (!(low > 0)) return ["linear"];
  return high / low > 50 ? ["log", "linear"] : ["linear", "log"];
}

/** Lowest and highest finite loss of all series; for a logarithm, of the positive ones. (NaN, NaN) if there is none. */
function lossDomain(
  run: Run,
  marks: readonly EvaluationMarks[],
  scale: YScale,
  means: readonly number[] = [],
): readonly [number, number] {
  const usable = (value: number): boolean => Number.isFinite(value) && (scale === "linear" || value > 0);
  const undone = run.history.undone.map(({ loss }) => loss);
  const [low, high] = extent(
    // A mean over losses of zero is below all that a logarithm shows.
    [run.steps.loss, means, ...undone, ...marks.map(({ y }) => y)].flat().filter(usable),
  );
  return low === undefined ? [Number.NaN, Number.NaN] : [low, high];
}

/** Works without a script: the style sheet shows the panels of the scale that is checked. */
function scaleSwitch([first, ...others]: readonly YScale[]): Content {
  if (others.length === 0) return null;
  const option = (scale: YScale, checked: Content): Markup =>
    html`<input type="radio" name="loss-scale" id="loss-${scale}" ${checked}/><label for="loss-${scale}">${scale}</label>\n`;
  return html`<div class="switch" role="group" aria-label="Loss axis"><span>Loss axis</span>
${option(first!, html`checked=""`)}${others.map((scale) => option(scale, null))}</div>`;
}

const curveOf = ({ steps }: Run, abscissa: Abscissa, shown: readonly number[]): Curve => ({
  abscissa,
  x: shown.map((i) => abscissa.values[i]!),
  y: shown.map((i) => steps.loss[i]!),
  mean: runningMean(abscissa.values, steps.loss, MEAN_POINTS),
});

function lossPanel(run: Run, curve: Curve, marks: readonly EvaluationMarks[], scale: YScale): Markup {
  const { abscissa, x, y, mean } = curve;
  const maximum = maximumOf(abscissa, run);
  if (maximum === 0) return html`<div class="panel ${scale} nothing">${emptyState(abscissa.nothing)}</div>`;
  const smoothed = mean.window > 1 || mean.x.length < Math.min(x.length, MEAN_POINTS);
  const lineOf = (points: Pick<LineSeries, "x" | "y">): LineSeries => ({
    kind: "training",
    ...withGaps(points, run, abscissa, maximum),
  });
  const raw = lineOf({ x, y });
  const undone = undoneLine(run, abscissa);
  return linePanel({
    title: `Loss against ${abscissa.name} (${scale} scale)`,
    className: scale,
    box: panelBox,
    xAxis: abscissaAxis(abscissa, run),
    yAxis: yAxis(lossDomain(run, marks, scale, mean.y), scale),
    lines: [
      ...(undone === null ? [] : [undone]),
      ...(smoothed ? [{ ...raw, pale: true }, lineOf(mean)] : [raw]),
      ...markLines(marks, abscissa.of),
    ],
    points: markPoints(marks, abscissa.of),
    gaps: gapsOf(run, abscissa),
    turns: turnMarks(run, abscissa),
    hover: { tips: TIPS, x, y },
    positiveOnly: scale === "log",
  });
}

function yAxis([low, high]: readonly [number, number], scale: YScale): Axis {
  const domain = Number.isNaN(low) ? ([0, 1] as const) : ([low, high] as const);
  const make = scale === "log" ? logAxis : linearAxis;
  return make({ domain, range: ordinateRange, label: "loss", rounded: true });
}

const gapsOf = ({ steps }: Run, { values }: Abscissa): readonly number[] =>
  values.filter((_, i) => !Number.isFinite(steps.loss[i]!));

function legendOf(run: Run, marks: readonly EvaluationMarks[], window: number): readonly LegendEntry[] {
  const entries: LegendEntry[] = [];
  if (window > 1) {
    entries.push({ mark: { kind: "line", series: "training", pale: true }, label: "training, every step" });
    entries.push({ mark: { kind: "line", series: "training" }, label: "training, running mean" });
  } else if (run.steps.step.length > 0) {
    entries.push({ mark: { kind: "line", series: "training" }, label: "training" });
  }
  for (const { model, split } of marks) {
    const mark = split === "test" ? ({ kind: "diamond" } as const) : ({ kind: "line", point: true } as const);
    entries.push({ mark: { ...mark, series: model }, label: `${split}, ${model}` });
  }
  if (run.steps.loss.some((loss) => !Number.isFinite(loss)))
    entries.push({ mark: { kind: "gap" }, label: "training loss not finite" });
  entries.push(...turnLegend(run));
  return entries;
}

function caption(run: Run, window: number, shown: number): Content {
  const { step, loss, bytesSent } = run.steps;
  const last = bytesSent.at(-1) ?? 0;
  const grouped = last > 0 && new Set(bytesSent).size < step.length;
  const strange = loss.flatMap((value, i) => (Number.isFinite(value) ? [] : [step[i]!]));
  const nonPositive = loss.some((value) => value <= 0);
  return [
    "Training loss is the mean over the nodes’ batches. ",
    window > 1 ? `The running mean goes over ${formatCount(window)} steps, centred. ` : null,
    grouped
      ? "Against bytes, the bold line takes steps between two communications as one point, their mean. "
      : null,
    shown < step.length
      ? `Of ${formatCount(step.length)} steps, ${formatCount(shown)} are drawn: the lowest and the highest of each ${formatCount(Math.floor(step.length / BINS))}. `
      : null,
    run.evaluations.length > 0 ? "Local is rank 0’s model, global the average of all nodes’ models. " : null,
    strange.length > 0
      ? html`<strong>The training loss is not finite (NaN or infinite) at ${formatCount(strange.length)} of ${formatCount(step.length)} steps, first at step ${formatCount(strange[0]!)}.</strong> `
      : null,
    nonPositive ? "Values of zero and below are left out on the logarithmic axis. " : null,
    turnNote(run),
  ];
}

function stepTip({ steps }: Run, i: number): string {
  return [
    `step ${formatCount(steps.step[i]!)}`,
    `training loss ${formatExact(steps.loss[i]!)}`,
    `learning rate ${formatExact(steps.learningRate[i]!)}`,
    `time ${formatExact(steps.time[i]!)} s`,
    `sent per node ${formatCount(steps.bytesSent[i]!)} B`,
  ].join("\n");
}
