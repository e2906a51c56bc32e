// The losses of the contenders in one place, against what they cost: steps, arithmetic, simulated time,
// bytes, dollars.

import { formatBytes, formatSeconds } from "@atoll/core";
import { extent } from "d3-array";
import { formatCount, formatLoss } from "../format.ts";
import { dollarsOf, formatDollars, type Prices } from "../prices.ts";
import {
  type Axis,
  byteUnit,
  flopUnit,
  linearAxis,
  logAxis,
  noUnit,
  timeUnit,
  type Unit,
} from "../report/figure/axis.ts";
import { contenderKind } from "../report/figure/contenders.ts";
import { extremes } from "../report/figure/downsample.ts";
import { type LinePanel, linePanel, panelBox } from "../report/figure/linePanel.ts";
import { html, type Markup } from "../report/html.ts";
import { emptyState } from "../report/table.ts";
import type { CellResult } from "./comparison.ts";
import type { CurvePoint, RunFacts } from "./runFacts.ts";

interface Abscissa {
  readonly name: string;
  readonly unit: (maximum: number) => Unit;
  /** NaN where a run does not know. */
  readonly of: (point: CurvePoint, run: RunFacts) => number;
}

/** Left out where no run says how many they are. */
const OPERATIONS = "floating-point operations of all";

const abscissas = (prices: Prices): readonly Abscissa[] => [
  { name: "steps", unit: () => noUnit, of: ({ step }) => step },
  {
    name: OPERATIONS,
    unit: flopUnit,
    of: ({ step }, { flopsPerStep }) => step * (flopsPerStep ?? Number.NaN),
  },
  { name: "simulated time", unit: timeUnit, of: ({ time }) => time },
  { name: "bytes sent by all", unit: byteUnit, of: ({ bytes }) => bytes },
  {
    name: "cost (dollars)",
    unit: () => noUnit,
    of: ({ time, bytes }, { costs: { nodes } }) => dollarsOf({ nodes, seconds: time, bytes }, prices),
  },
];

/** Shares of a curve of which the lowest and highest point are drawn. */
const BINS = 200;
/** Values that differ by more are told apart on a logarithm only. */
const WIDE = 30;

const usable = (value: number): boolean => Number.isFinite(value);

/** The loss axis, the same in all figures of a page, so that places can be compared. */
export function lossAxis(cells: readonly CellResult[]): Axis {
  const losses = cells.flatMap(({ runs }) => runs.flatMap(({ curve }) => curve.map(({ loss }) => loss)));
  const [low = 0, high = 1] = extent(losses.filter(usable));
  const options = {
    domain: [low, high] as const,
    range: [panelBox.bottom, panelBox.top + 8] as const,
    label: "loss",
    rounded: true,
  };
  return low > 0 && high / low > WIDE ? logAxis(options) : linearAxis(options);
}

/** A panel for each cost; a line a run, the contenders in the order of the cells. */
export function curvePanels(cells: readonly CellResult[], yAxis: Axis, prices: Prices): readonly Markup[] {
  const counted = cells.some(({ runs }) => runs.some(({ flopsPerStep }) => flopsPerStep !== null));
  return abscissas(prices)
    .filter(({ name }) => counted || name !== OPERATIONS)
    .map((abscissa) => panelOf(cells, yAxis, abscissa));
}

function panelOf(cells: readonly CellResult[], yAxis: Axis, abscissa: Abscissa): Markup {
  const drawn = cells.flatMap(({ runs }, contender) =>
    runs.map((run) => {
      const shown = extremes(
        run.curve.map(({ loss }) => loss),
        BINS,
      ).map((i) => run.curve[i]!);
      const points = shown.map((point) => ({ point, x: abscissa.of(point, run) })).filter(({ x }) => x >= 0);
      return { contender, run, points };
    }),
  );
  const [low, high] = extent(drawn.flatMap(({ points }) => points.map(({ x }) => x).filter((x) => x > 0)));
  if (low === undefined || high === undefined)
    return html`<div class="panel nothing">${emptyState(`Nothing to draw against ${abscissa.name}.`)}</div>`;
  const options = {
    range: [panelBox.left, panelBox.right] as const,
    label: abscissa.name,
    unit: abscissa.unit(high),
  };
  const isWide = high / low > WIDE;
  // What costs nothing, as nodes do that send nothing, has a place on a linear axis alone.
  const curves = isWide
    ? drawn.map((curve) => ({ ...curve, points: curve.points.filter(({ x }) => x > 0) }))
    : drawn;
  const panel: LinePanel = {
    title: `Loss against ${abscissa.name}`,
    className: isWide ? "log" : "linear",
    box: panelBox,
    xAxis: isWide
      ? logAxis({ ...options, domain: [low, high] })
      : linearAxis({ ...options, domain: [0, high] }),
    yAxis,
    lines: curves.map(({ contender, points }) => ({
      kind: contenderKind(contender),
      x: points.map(({ x }) => x),
      y: points.map(({ point }) => point.loss),
    })),
    points: curves.map(({ contender, run, points }) => ({
      kind: contenderKind(contender),
      shape: "circle",
      x: points.map(({ x }) => x),
      y: points.map(({ point }) => point.loss),
      tips: points.map(({ point }) => tipOf(cells[contender]!, point, run, costText(abscissa, point, run))),
    })),
    gaps: [],
    positiveOnly: false,
  };
  return linePanel(panel);
}

const costText = (abscissa: Abscissa, point: CurvePoint, run: RunFacts): string =>
  abscissa.name.startsWith("cost") ? `, ${formatDollars(abscissa.of(point, run))}` : "";

const tipOf = ({ label }: CellResult, point: CurvePoint, { seed }: RunFacts, more: string): string =>
  `${label || "the run"}, seed ${seed}: loss ${formatLoss(point.loss)} at step ${formatCount(point.step)}, ${formatSeconds(point.time)}, ${formatBytes(point.bytes)}${more}`;
