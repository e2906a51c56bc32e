// The loss against the three things it costs: steps, simulated seconds and bytes. Same y in all three, so that they
// can be compared; a fourth panel holds the accuracy, or the learning rate where the model has no accuracy.

import { extent } from "d3-array";
import { formatCount, formatExact } from "../format.ts";
import type { Run } from "../run.ts";
import { type EvaluationMarks, evaluationMarks } from "./evaluation-marks.ts";
import { type Axis, byteUnit, linearAxis, logAxis, noUnit, timeUnit, type Unit } from "./figure/axis.ts";
import { evenly, extremes } from "./figure/downsample.ts";
import { type LegendEntry, legend } from "./figure/legend.ts";
import { type LinePanel, type LineSeries, linePanel, panelBox } from "./figure/line-panel.ts";
import { runningMean } from "./figure/running-mean.ts";
import { type Content, html, jsonScript, type Markup } from "./html.ts";
import { emptyState } from "./table.ts";

/** Shares of the series of which the lowest and highest point are drawn: about one and a half a pixel. */
const BINS = 600;
/** Places of the running mean: fewer, since it is smooth. */
const MEAN_POINTS = 400;

/** One of the quantities that the loss is drawn against. */
interface Abscissa {
  readonly name: string;
  readonly values: readonly number[];
  readonly of: (evaluation: {
    readonly step: number;
    readonly time: number;
    readonly bytesSent: number;
  }) => number;
  readonly unit: (maximum: number) => Unit;
  readonly whole: boolean;
}

type YScale = "linear" | "log";

export function lossSection(run: Run): Markup {
  const { steps } = run;
  const marks = evaluationMarks(run.evaluations, "loss");
  if (steps.step.length === 0 && marks.length === 0)
    return html`<section id="loss"><h2>Loss</h2>${emptyState("No step was finished, so there is no loss to show.")}</section>`;
  const abscissae = abscissaeOf(run);
  const scales = yScales(run, marks);
  const shown = extremes(steps.loss, BINS);
  const panels = (scale: YScale): Content => abscissae.map((x) => lossPanel(run, marks, x, scale, shown));
  const windows = runningMean(steps.step, steps.loss, 2).window;
  return html`<section id="loss"><h2>Loss</h2>
${scaleSwitch(scales)}
<figure class="wide">
${legend(legendOf(run, marks, windows))}
<div class="panels">${scales.map(panels)}${fourthPanel(run, shown)}</div>
<figcaption>${caption(run, windows, shown.length)}</figcaption>
</figure>
${jsonScript(
  "step-tips",
  shown.map((i) => stepTip(run, i)),
)}
</section>`;
}

function abscissaeOf({ steps }: Run): readonly Abscissa[] {
  return [
    { name: "steps", values: steps.step, of: ({ step }) => step, unit: () => noUnit, whole: true },
    { name: "simulated time", values: steps.time, of: ({ time }) => time, unit: timeUnit, whole: false },
    {
      name: "bytes sent per node",
      values: steps.bytesSent,
      of: ({ bytesSent }) => bytesSent,
      unit: byteUnit,
      whole: false,
    },
  ];
}

/** The scales on offer, the better one first: a loss that falls by more than a factor of 50 needs a logarithm. */
function yScales(run: Run, marks: readonly EvaluationMarks[]): readonly YScale[] {
  const [low, high] = lossDomain(run, marks, "log");
  if (!(low > 0)) return ["linear"];
  return high / low > 50 ? ["log", "linear"] : ["linear", "log"];
}

/** Lowest and highest finite loss of all series; for a logarithm, of the positive ones. (NaN, NaN) if there is none. */
function lossDomain(run: Run, marks: readonly EvaluationMarks[], scale: YScale): readonly [number, number] {
  const usable = (value: number): boolean => Number.isFinite(value) && (scale === "linear" || value > 0);
  const [low, high] = extent([run.steps.loss, ...marks.map(({ y }) => y)].flat().filter(usable));
  return low === undefined ? [Number.NaN, Number.NaN] : [low, high];
}

/** Works without a script: the style sheet shows the panels of the scale that is checked. */
function scaleSwitch([first, ...others]: readonly YScale[]): Content {
  const option = (scale: YScale, checked: Content): Markup =>
    html`<input type="radio" name="loss-scale" id="loss-${scale}" ${checked}/><label for="loss-${scale}">${scale}</label>\n`;
  return html`<div class="switch" role="group" aria-label="Loss axis"><span>Loss axis</span>
${option(first!, html`checked=""`)}${others.map((scale) => option(scale, null))}</div>`;
}

function lossPanel(
  run: Run,
  marks: readonly EvaluationMarks[],
  abscissa: Abscissa,
  scale: YScale,
  shown: readonly number[],
): Markup {
  const evaluated = marks.flatMap(({ evaluations }) => evaluations.map(abscissa.of));
  const maximum = Math.max(0, abscissa.values.at(-1) ?? 0, ...evaluated);
  const name = `${abscissa.name} (${scale} scale)`;
  if (maximum === 0 && abscissa.name === "bytes sent per node")
    return html`<div class="panel ${scale} nothing">${emptyState("No bytes were sent, so there is no loss against bytes.")}</div>`;
  const { loss } = run.steps;
  const x = shown.map((i) => abscissa.values[i]!);
  const y = shown.map((i) => loss[i]!);
  const mean = runningMean(abscissa.values, loss, MEAN_POINTS);
  const smoothed = mean.window > 1 || mean.x.length < Math.min(x.length, MEAN_POINTS);
  const raw: LineSeries = { kind: "training", x, y };
  return linePanel({
    title: `Loss against ${name}`,
    className: scale,
    box: panelBox,
    positiveOnly: scale === "log",
    xAxis: xAxis(abscissa, maximum),
    yAxis: yAxis(lossDomain(run, marks, scale), scale),
    lines: [
      ...(smoothed ? [{ ...raw, pale: true }, { kind: "training", x: mean.x, y: mean.y } as const] : [raw]),
      ...marks.map(({ model, evaluations, y: values }) => ({
        kind: model,
        x: evaluations.map(abscissa.of),
        y: values,
      })),
    ],
    points: marks.map(({ model, split, evaluations, y: values, tips }) => ({
      kind: model,
      shape: split === "test" ? ("diamond" as const) : ("circle" as const),
      x: evaluations.map(abscissa.of),
      y: values,
      tips,
    })),
    gaps: gapsOf(run, abscissa),
    hover: { tips: "step-tips", x, y },
  });
}

const xAxis = ({ name, unit, whole }: Abscissa, maximum: number): Axis =>
  linearAxis({
    domain: [0, maximum],
    range: [panelBox.left, panelBox.right],
    label: name,
    unit: unit(maximum),
    whole,
  });

function yAxis([low, high]: readonly [number, number], scale: YScale): Axis {
  const range = [panelBox.bottom, panelBox.top + 4] as const;
  const domain = Number.isNaN(low) ? ([0, 1] as const) : ([low, high] as const);
  const make = scale === "log" ? logAxis : linearAxis;
  return make({ domain, range, label: "loss" });
}

const gapsOf = ({ steps }: Run, { values }: Abscissa): readonly number[] =>
  values.filter((_, i) => !Number.isFinite(steps.loss[i]!));

/** The accuracy where it was measured; otherwise the learning rate. */
function fourthPanel(run: Run, shown: readonly number[]): Content {
  const marks = evaluationMarks(run.evaluations, "accuracy");
  const steps = abscissaeOf(run)[0]!;
  const maximum = Math.max(
    0,
    run.steps.step.at(-1) ?? 0,
    ...marks.flatMap(({ evaluations }) => evaluations.map(steps.of)),
  );
  const common = {
    className: "both",
    box: panelBox,
    positiveOnly: false,
    xAxis: xAxis(steps, maximum),
    gaps: [],
  };
  const range = [panelBox.bottom, panelBox.top + 4] as const;
  if (marks.length > 0) {
    const [low, high] = extent(marks.flatMap(({ y }) => y).filter(Number.isFinite));
    const unit = { factor: 0.01, symbol: "%" };
    return linePanel({
      ...common,
      title: "Accuracy against steps",
      yAxis: linearAxis({ domain: [low ?? 0, high ?? 1], range, label: "accuracy", unit }),
      lines: marks.map(({ model, evaluations, y }) => ({ kind: model, x: evaluations.map(steps.of), y })),
      points: marks.map(({ model, split, evaluations, y, tips }) => ({
        kind: model,
        shape: split === "test" ? ("diamond" as const) : ("circle" as const),
        x: evaluations.map(steps.of),
        y,
        tips,
      })),
    } satisfies LinePanel);
  }
  return learningRatePanel(run, shown, { ...common, range });
}

function learningRatePanel(
  { steps }: Run,
  shown: readonly number[],
  {
    range,
    ...common
  }: Omit<LinePanel, "title" | "yAxis" | "lines" | "points"> & { readonly range: readonly [number, number] },
): Content {
  if (steps.step.length === 0) return null;
  // A schedule is smooth, so points at equal distances show it; those of the loss keep the cursor's texts in step.
  const places = evenly(steps.step.length, BINS);
  const highest = Math.max(0, ...places.map((i) => steps.learningRate[i]!).filter(Number.isFinite));
  return linePanel({
    ...common,
    title: "Learning rate against steps",
    yAxis: linearAxis({ domain: [0, highest * 1.05], range, label: "learning rate" }),
    lines: [
      {
        kind: "training",
        x: places.map((i) => steps.step[i]!),
        y: places.map((i) => steps.learningRate[i]!),
      },
    ],
    points: [],
    hover: {
      tips: "step-tips",
      x: shown.map((i) => steps.step[i]!),
      y: shown.map((i) => steps.learningRate[i]!),
    },
  });
}

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
    entries.push({ mark: { ...mark, series: model }, label: `${split}, ${model} model` });
  }
  if (run.steps.loss.some((loss) => !Number.isFinite(loss)))
    entries.push({ mark: { kind: "gap" }, label: "training loss not finite" });
  return entries;
}

function caption(run: Run, window: number, shown: number): Content {
  const { step, loss } = run.steps;
  const strange = loss.flatMap((value, i) => (Number.isFinite(value) ? [] : [step[i]!]));
  const nonPositive = loss.some((value) => value <= 0);
  return [
    "Training loss is the mean over the nodes’ batches. ",
    window > 1
      ? `The running mean goes over ${formatCount(window)} steps, centred; against bytes, steps between two communications are one point. `
      : null,
    shown < step.length
      ? `Of ${formatCount(step.length)} steps, ${formatCount(shown)} are drawn: the lowest and the highest of each ${formatCount(Math.floor(step.length / BINS))}. `
      : null,
    run.evaluations.length > 0 ? "Local is rank 0’s model, global the average of all nodes’ models. " : null,
    strange.length > 0
      ? html`<strong>The training loss is not finite (NaN or infinite) at ${formatCount(strange.length)} of ${formatCount(step.length)} steps, first at step ${formatCount(strange[0]!)}.</strong> `
      : null,
    nonPositive ? "Values of zero and below are left out on the logarithmic axis. " : null,
  ];
}

function stepTip({ steps }: Run, i: number): string {
  return [
    `step ${formatCount(steps.step[i]!)}`,
    `training loss ${formatExact(steps.loss[i]!)}`,
    `learning rate ${formatExact(steps.learningRate[i]!)}`,
    `simulated time ${formatExact(steps.time[i]!)} s`,
    `sent per node ${formatCount(steps.bytesSent[i]!)} B`,
  ].join("\n");
}
