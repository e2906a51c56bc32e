// The losses of several runs on the same axes, against the things that they cost: steps, time, bytes and, where they
// are priced, dollars; and the accuracy against steps.

import { extent, max } from "d3-array";
import { formatCount, formatLoss, formatPercent } from "../format.ts";
import { dollarsOf, formatDollars, type Prices } from "../prices.ts";
import { timeNameOfRuns } from "../run.ts";
import { ordinateRange, type Place } from "./abscissa.ts";
import { type Axis, byteUnit, linearAxis, logAxis, noUnit, timeUnit, type Unit } from "./figure/axis.ts";
import { evenly } from "./figure/downsample.ts";
import { figure } from "./figure/figure.ts";
import { type LineSeries, linePanel, type PointSeries, panelBox } from "./figure/linePanel.ts";
import { runningMean } from "./figure/runningMean.ts";
import { type Content, html, type Markup } from "./html.ts";
import { type Looks, looksOf } from "./looks.ts";
import { type ReportedRun, shortLabel } from "./reportedRun.ts";
import type { ReportOptions } from "./section.ts";
import { emptyState } from "./table.ts";

/** Values that differ by more are told apart on a logarithm only. */
const WIDE = 30;
/** Points of a line of one of few runs; many runs have fewer each. */
const MOST_POINTS = 300;
const LEAST_POINTS = 60;
/** Points of all lines of a panel together. */
const POINTS_OF_ALL = 3000;
/** With fewer evaluations than these their dots are no curve, and the training losses tell more. */
const LEAST_EVALUATIONS = 3;
/** With more lines, markers and training losses beside evaluations would hide them. */
const UNCROWDED = 8;

interface Against {
  readonly name: string;
  readonly unit: (maximum: number) => Unit;
  readonly of: (place: Place, run: ReportedRun) => number;
}

/** @param time what the seconds of all runs are called */
const against = (prices: Prices | null, time: string): readonly Against[] => [
  { name: "steps", unit: () => noUnit, of: ({ step }) => step },
  { name: time, unit: timeUnit, of: ({ time }) => time },
  { name: "bytes sent per node", unit: byteUnit, of: ({ bytesSent }) => bytesSent },
  ...(prices === null
    ? []
    : [
        {
          name: "cost (dollars)",
          unit: () => noUnit,
          of: (place: Place, run: ReportedRun) => costOf(place, run, prices),
        },
      ]),
];

const costOf = ({ time, bytesSent }: Place, { started }: ReportedRun, prices: Prices): number => {
  const nodes = started?.nodes ?? 1;
  return dollarsOf({ nodes, seconds: time, bytes: bytesSent * nodes }, prices);
};

interface CurvePoint extends Place {
  readonly y: number;
}

interface Curve {
  readonly run: ReportedRun;
  readonly index: number;
  /** Evaluations of the average of all nodes' models, or training losses. */
  readonly of: "evaluations" | "training";
  readonly points: readonly CurvePoint[];
}

export function lossOfRuns(runs: readonly ReportedRun[], { prices }: ReportOptions): Content {
  const count = Math.round(Math.max(LEAST_POINTS, Math.min(MOST_POINTS, POINTS_OF_ALL / runs.length)));
  const allEvaluated = runs.flatMap((run, index) => curveOf(run, index, evaluationsOf(run, "loss"), count));
  const bare = runs.length > UNCROWDED;
  const allTrained = runs.flatMap((run, index) =>
    bare && allEvaluated.some((curve) => curve.run === run) ? [] : trainingOf(run, index, count),
  );
  if (allEvaluated.length + allTrained.length === 0)
    return emptyState("No run finished a step, so there is no loss to show.");
  const most = mostOfOthers([...allEvaluated, ...allTrained]);
  const [evaluated, trained] = [upTo(most, allEvaluated), upTo(most, allTrained)];
  const looks = looksOf(runs);
  const yAxis = lossAxis([...evaluated, ...trained]);
  const isPale = ({ of, run }: Curve): boolean =>
    of === "training" &&
    evaluated.some((curve) => curve.run === run && curve.points.length >= LEAST_EVALUATIONS);
  const draw = (which: Against, curves: readonly Curve[], y: Axis, what: string): Markup =>
    panelOf(curves, { looks, which, yAxis: y, bare, isPale, what, prices });
  const scores = runs.flatMap((run, index) => curveOf(run, index, evaluationsOf(run, "accuracy"), count));
  const kinds = against(prices, timeNameOfRuns(runs));
  const shown = new Set([...evaluated, ...trained].map(({ index }) => index));
  return figure({
    name: "loss-of-runs",
    title: "Loss of the runs against what it costs",
    legend: looks.legend,
    panels: [
      ...kinds.map((which) => draw(which, [...trained, ...evaluated], yAxis, "Loss")),
      ...(scores.length > 0 ? [draw(kinds[0]!, scores, accuracyAxis(scores), "Accuracy")] : []),
    ],
    layout: "grid",
    className: "curves",
    caption: caption(runs, { looks, evaluated, trained, bare, shown: shown.size, isCut: most !== undefined }),
  });
}

const evaluationsOf = (run: ReportedRun, what: "loss" | "accuracy"): readonly CurvePoint[] => {
  // The last one on the test set stands for the end where nothing was evaluated on the way.
  const validations = run.evaluations.filter(({ split }) => split === "validation");
  const used = validations.length > 0 ? validations : run.evaluations;
  return used.flatMap((evaluation) => {
    const { step, time, bytesSent } = evaluation;
    const values = evaluation[what];
    return values === null ? [] : [{ step, time, bytesSent, y: values.global }];
  });
};

function curveOf(
  run: ReportedRun,
  index: number,
  all: readonly CurvePoint[],
  count: number,
): readonly Curve[] {
  const points = evenly(all.length, count).map((i) => all[i]!);
  return points.length === 0 ? [] : [{ run, index, of: "evaluations", points }];
}

/** The running mean over steps, which is smooth enough to be told from others. */
function trainingOf(run: ReportedRun, index: number, count: number): readonly Curve[] {
  const { step, time, bytesSent, loss } = run.steps;
  if (step.length === 0) return [];
  const mean = runningMean(step, loss, count);
  const place = new Map(step.map((number, i) => [number, i]));
  const points = mean.x.map((number, k) => {
    const i = place.get(number)!;
    return { step: number, time: time[i]!, bytesSent: bytesSent[i]!, y: mean.y[k]! };
  });
  return [{ run, index, of: "training", points }];
}

const hasDiverged = ({ run }: Curve): boolean => run.outcome.kind === "diverged";

/** The largest loss of the runs that did not diverge; undefined if all did, or none. */
function mostOfOthers(curves: readonly Curve[]): number | undefined {
  if (!curves.some(hasDiverged)) return undefined;
  const others = curves.filter((curve) => !hasDiverged(curve));
  return max(others.flatMap(({ points }) => points.map(({ y }) => y)).filter(Number.isFinite));
}

/** Runs that diverged are shown for as long as they are not beyond the others, which would be a flat line beside them. */
function upTo(most: number | undefined, curves: readonly Curve[]): readonly Curve[] {
  if (most === undefined) return curves;
  return curves.flatMap((curve) => {
    if (!hasDiverged(curve)) return [curve];
    const end = curve.points.findIndex(({ y }) => !(y <= most));
    const points = end === -1 ? curve.points : curve.points.slice(0, end);
    return points.length === 0 ? [] : [{ ...curve, points }];
  });
}

function lossAxis(curves: readonly Curve[]): Axis {
  const values = curves.flatMap(({ points }) => points.map(({ y }) => y)).filter(Number.isFinite);
  const [low = 0, high = 1] = extent(values);
  const options = {
    domain: [low, high] as const,
    range: ordinateRange,
    label: "loss",
    rounded: true,
  };
  return low > 0 && high / low > WIDE ? logAxis(options) : linearAxis(options);
}

function accuracyAxis(curves: readonly Curve[]): Axis {
  const values = curves.flatMap(({ points }) => points.map(({ y }) => y)).filter(Number.isFinite);
  const [low = 0, high = 1] = extent(values);
  return linearAxis({
    domain: [Math.max(0, Math.min(low, high - 0.02)), Math.min(1, Math.max(high, low + 0.02))],
    range: ordinateRange,
    label: "accuracy",
    unit: { factor: 0.01, symbol: "%" },
    rounded: true,
  });
}

interface PanelContext {
  readonly looks: Looks;
  readonly which: Against;
  readonly yAxis: Axis;
  readonly bare: boolean;
  readonly isPale: (curve: Curve) => boolean;
  readonly what: string;
  readonly prices: Prices | null;
}

function panelOf(curves: readonly Curve[], context: PanelContext): Markup {
  const { which, yAxis, looks, bare, isPale, what } = context;
  const placed = curves.map((curve) => ({
    curve,
    x: curve.points.map((point) => which.of(point, curve.run)),
    y: curve.points.map(({ y }) => y),
  }));
  const xs = placed.flatMap(({ x }) => x);
  const high = Math.max(0, ...xs);
  if (high === 0)
    return html`<div class="panel nothing">${emptyState(`Nothing to draw against ${which.name}.`)}</div>`;
  // What costs nothing yet (no bytes before the first exchange) has no place on a logarithm.
  const ends = placed.map(({ x }) => x.at(-1)!).filter((end) => end > 0);
  const isWide = high / Math.min(...ends) > WIDE;
  const options = {
    range: [panelBox.left, panelBox.right] as const,
    label: which.name,
    unit: which.unit(high),
  };
  const least = Math.min(...xs.filter((x) => x > 0));
  const axis = isWide
    ? logAxis({ ...options, domain: [least, high] })
    : linearAxis({ ...options, domain: [0, high], whole: which.name === "steps" });
  const visible = placed.map(({ curve, x, y }) => {
    const kept = isWide ? [...x.keys()].filter((i) => x[i]! > 0) : [...x.keys()];
    return { curve, x: kept.map((i) => x[i]!), y: kept.map((i) => y[i]!), kept };
  });
  const lines = visible.map(
    ({ curve, x, y }): LineSeries => ({
      kind: looks.kinds[curve.index]!,
      pale: isPale(curve),
      title: shortLabel(curve.run.label),
      x,
      y,
    }),
  );
  const points = visible
    .filter(({ curve, x }) => curve.of === "evaluations" && (!bare || x.length === 1))
    .map(
      ({ curve, x, y, kept }): PointSeries => ({
        kind: looks.kinds[curve.index]!,
        shape: "circle",
        x,
        y,
        tips: kept.map((i) => tipOf(curve, curve.points[i]!, context)),
      }),
    );
  return linePanel({
    title: `${what} against ${which.name}`,
    className: bare ? "crowd" : "plain",
    box: panelBox,
    xAxis: axis,
    yAxis,
    lines,
    points,
    gaps: [],
    positiveOnly: false,
  });
}

function tipOf({ run }: Curve, point: CurvePoint, { what, prices, which }: PanelContext): string {
  const value = what === "Loss" ? `loss ${formatLoss(point.y)}` : `accuracy ${formatPercent(point.y)}`;
  return [
    run.label,
    `step ${formatCount(point.step)}: ${value}`,
    ...(prices !== null && which.name.startsWith("cost") ? [formatDollars(costOf(point, run, prices))] : []),
  ].join("\n");
}

const countRuns = (count: number): string => `${formatCount(count)} ${count === 1 ? "run" : "runs"}`;

interface CaptionFacts {
  readonly looks: Looks;
  readonly evaluated: readonly Curve[];
  readonly trained: readonly Curve[];
  readonly bare: boolean;
  readonly shown: number;
  /** Whether runs that diverged are only shown in part. */
  readonly isCut: boolean;
}

function caption(runs: readonly ReportedRun[], facts: CaptionFacts): Content {
  const { looks, evaluated, trained, bare, shown, isCut } = facts;
  const alone = trained.filter(({ run }) => !evaluated.some((curve) => curve.run === run)).length;
  const left = runs.length - shown;
  return [
    evaluated.length === 0
      ? "Training loss, running mean: no run was evaluated. "
      : `Loss of the average of all nodes’ models on the validation set${bare ? "" : ", a dot an evaluation"}. `,
    evaluated.length > 0 && trained.length > alone
      ? "Lines without dots: training loss, running mean over the nodes’ batches. "
      : null,
    evaluated.length > 0 && alone > 0
      ? `${countRuns(alone)} without evaluations: training loss, running mean. `
      : null,
    looks.note,
    isCut ? "Runs that diverged are drawn up to where their loss exceeds that of all others. " : null,
    left > 0 ? `${countRuns(left)} not drawn. ` : null,
    "Axes whose values differ by more than a factor of 30 are logarithmic. ",
  ];
}
