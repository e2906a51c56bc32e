// What the run was asked to record beside its losses (option `record`): a panel for each quantity, over steps, with a line for
// each run.

import { RECORDED_QUANTITIES, type Recorded, type RecordedQuantity } from "@atoll/core";
import { extent } from "d3-array";
import { formatCount, formatExact } from "../format.ts";
import { ordinateRange } from "./abscissa.ts";
import { type Axis, linearAxis, logAxis } from "./figure/axis.ts";
import { extremes } from "./figure/downsample.ts";
import { figure } from "./figure/figure.ts";
import type { LegendEntry } from "./figure/legend.ts";
import { type LineSeries, linePanel, panelBox, type SeriesKind } from "./figure/linePanel.ts";
import { type Content, html, jsonScript, type Markup } from "./html.ts";
import { type Looks, looksOf } from "./looks.ts";
import type { ReportedRun } from "./reportedRun.ts";
import { section } from "./section.ts";
import { emptyState } from "./table.ts";

/** Shares of a series of which the lowest and the highest are drawn. */
const BINS = 600;
/** A quantity that changes by more than this is drawn by its logarithm. */
const WIDE = 50;

const LABELS: Readonly<Record<RecordedQuantity, string>> = {
  correlation: "correlation of parameters",
  gradientNorm: "gradient norm",
  outerCosine: "cosine of outer gradients",
  compressionError: "compression error",
};

const MEANINGS: Readonly<Record<RecordedQuantity, string>> = {
  correlation: "Correlation: the mean Pearson correlation of the parameters of all pairs of nodes.",
  gradientNorm: "Gradient norm: the L2 norm of each node’s own gradient, before exchange and clipping.",
  outerCosine:
    "Cosine of outer gradients: over all pairs of nodes, between what their parameters have changed by since the round began.",
  compressionError:
    "Compression error: how far what is received is from what was to be sent, relative to the latter’s norm.",
};

/** Shares of each line when there are several. */
const FEWER_BINS = 60;

/** Left out where no run recorded anything or was asked to. */
export function recordsSection(runs: readonly ReportedRun[]): Content {
  const asked = runs.filter(({ history, settings }) => history.records.length > 0 || settings.record);
  if (asked.length === 0) return null;
  const shown = RECORDED_QUANTITIES.filter((of) =>
    asked.some(({ history }) => history.records.some(({ quantity }) => quantity === of)),
  );
  if (shown.length === 0)
    return section("records", "Records", emptyState("Nothing was recorded before the end."));
  const looks = runs.length === 1 ? null : looksOf(runs);
  const panels = shown.map((of) => panelOf(of, runs, looks));
  return section("records", "Records", [
    figure({
      name: "records",
      title: runs.length === 1 ? `What ${runs[0]!.name} recorded` : "What the runs recorded",
      legend: looks?.legend ?? legendOf(asked[0]!.history.records),
      panels: panels.map(({ drawing }) => drawing),
      layout: "grid",
      caption: [
        shown.map((of) => `${MEANINGS[of]} `),
        looks === null ? null : ["Lines are means. ", looks.note],
        gapNote(asked),
      ],
    }),
    panels.map(({ tips }) => tips),
  ]);
}

function legendOf(records: readonly Recorded[]): readonly LegendEntry[] {
  const isRanged = records.some(({ range }) => range !== null && range.min < range.max);
  return [
    { mark: { kind: "line", series: "training" }, label: "mean" },
    ...(isRanged
      ? [
          {
            mark: { kind: "line", series: "training", pale: true } as const,
            label: "lowest and highest of the nodes",
          },
        ]
      : []),
  ];
}

/** What one run recorded of one quantity, thinned. */
interface Series {
  readonly records: readonly Recorded[];
  readonly kind: SeriesKind;
}

function panelOf(
  quantity: RecordedQuantity,
  runs: readonly ReportedRun[],
  looks: Looks | null,
): { readonly drawing: Markup; readonly tips: Content } {
  const series = runs.flatMap((run, index): readonly Series[] => {
    const all = run.history.records.filter((record) => record.quantity === quantity);
    if (all.length === 0) return [];
    const kept = extremes(
      all.map(({ mean }) => mean),
      looks === null ? BINS : FEWER_BINS,
    );
    return [{ records: kept.map((i) => all[i]!), kind: looks === null ? "training" : looks.kinds[index]! }];
  });
  const isAlone = looks === null;
  const lines = series.flatMap((of) => [...(isAlone ? rangeOf(of) : []), meanOf(of)]);
  const { axis, isLog } = ordinate(
    quantity,
    lines.flatMap(({ y }) => y),
  );
  const steps = Math.max(...runs.map(({ steps: { step }, stepsDone }) => step.at(-1) ?? stepsDone));
  const tips = `record-tips-${quantity}`;
  const [first] = series;
  const drawing = linePanel({
    title: `${LABELS[quantity]} against steps`,
    className: "both",
    box: panelBox,
    xAxis: linearAxis({
      domain: [0, steps],
      range: [panelBox.left, panelBox.right],
      label: "steps",
      whole: true,
    }),
    yAxis: axis,
    lines,
    points: [],
    gaps: series.flatMap(({ records }) =>
      records.filter(({ mean }) => !Number.isFinite(mean)).map(({ step }) => step),
    ),
    ...(isAlone ? { hover: { tips, ...meanOf(first!) } } : {}),
    positiveOnly: isLog,
  });
  return { drawing, tips: isAlone ? jsonScript(tips, first!.records.map(tipOf)) : null };
}

const meanOf = ({ records, kind }: Series): LineSeries => ({
  kind,
  x: records.map(({ step }) => step),
  y: records.map(({ mean }) => mean),
});

/** The lines of the lowest and the highest node, where nodes differ. */
function rangeOf({ records, kind }: Series): readonly LineSeries[] {
  if (!records.some(({ range }) => range !== null && range.min < range.max)) return [];
  const x = records.map(({ step }) => step);
  const edge = (of: "min" | "max"): LineSeries => ({
    kind,
    pale: true,
    x,
    y: records.map(({ range, mean }) => range?.[of] ?? mean),
  });
  return [edge("min"), edge("max")];
}

/** Errors and norms from zero, or by their logarithm; what has 1 as its highest value, where it is. */
function ordinate(
  quantity: RecordedQuantity,
  values: readonly number[],
): { readonly axis: Axis; readonly isLog: boolean } {
  const [low = 0, high = 1] = extent(values.filter(Number.isFinite));
  const isPaired = quantity === "correlation" || quantity === "outerCosine";
  const isLog = !isPaired && low > 0 && high / low > WIDE;
  const domain = [isPaired || isLog ? low : Math.min(0, low), high] as const;
  const make = isLog ? logAxis : linearAxis;
  return { axis: make({ domain, range: ordinateRange, label: LABELS[quantity], rounded: true }), isLog };
}

function tipOf({ step, quantity, mean, range, nodes }: Recorded): string {
  return [
    `step ${formatCount(step)}`,
    `${LABELS[quantity]} ${formatExact(mean)}`,
    ...(range === null ? [] : [`lowest ${formatExact(range.min)}, highest ${formatExact(range.max)}`]),
    `of ${formatCount(nodes)} nodes`,
  ].join("\n");
}

function gapNote(runs: readonly ReportedRun[]): Content {
  const records = runs.flatMap(({ history }) => history.records);
  const strange = records.filter(({ mean }) => !Number.isFinite(mean));
  if (strange.length === 0) return null;
  return html`<strong>${formatCount(strange.length)} of ${formatCount(records.length)} records are not finite (NaN or infinite), first at step ${formatCount(strange[0]!.step)}.</strong>`;
}
