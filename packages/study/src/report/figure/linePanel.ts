// One panel of lines and points over a continuous x: the loss and accuracy figures are made of these.
// Pale line: every point; bold line: their running mean; points: evaluations.

import { line, type SymbolType, symbol, symbolCircle, symbolDiamond } from "d3-shape";
import { type Content, html, type Markup } from "../html.ts";
import type { Axis } from "./axis.ts";
import { bottomAxis, boxAttribute, drawing, leftAxis, type PlotBox, pixel } from "./plot.ts";

/** What a line or its points stand for; the style sheet gives each its colour, and local and global their dashes. */
export type SeriesKind = "training" | "undone" | "local" | "global" | "other" | `contender${number}`;

export interface LineSeries {
  readonly kind: SeriesKind;
  /** Pale lines lie under the others and show every point. */
  readonly pale?: boolean;
  /** What pointing at the line says; it is lifted above the others then. */
  readonly title?: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
}

export interface PointSeries {
  readonly kind: SeriesKind;
  readonly shape: "circle" | "diamond";
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** What hovering over each point says. */
  readonly tips: readonly string[];
}

/** Where on x a run turned, which has no height: as lines across, and as short ones at the lower edge. */
export interface TurnMarks {
  readonly rolledBack: readonly number[];
  readonly goneOn: readonly number[];
}

export interface LinePanel {
  /** Read out in place of the picture. */
  readonly title: string;
  readonly box: PlotBox;
  readonly xAxis: Axis;
  readonly yAxis: Axis;
  readonly lines: readonly LineSeries[];
  readonly points: readonly PointSeries[];
  /** Where on x a value is not finite: marked on the upper edge, since no height is right for it. */
  readonly gaps: readonly number[];
  readonly turns?: TurnMarks;
  /** The series that the cursor follows: id of the page's list of texts, and one point for each of them. */
  readonly hover?: { readonly tips: string; readonly x: readonly number[]; readonly y: readonly number[] };
  /** True where a logarithmic y axis leaves out what is not positive. */
  readonly positiveOnly: boolean;
  readonly className: string;
}

/** The panel at the figure's natural size. */
export const panelBox: PlotBox = { width: 520, height: 310, left: 56, right: 508, top: 26, bottom: 264 };

export function linePanel(panel: LinePanel): Markup {
  const { box, xAxis, yAxis, hover, className } = panel;
  const attributes = html`class="panel ${className}" ${boxAttribute(box)} ${hover ? hoverAttributes(panel, hover) : null}`;
  return drawing(box, panel.title, attributes, [
    leftAxis(yAxis, box),
    bottomAxis(xAxis, box),
    gapMarks(panel),
    turnLines(panel),
    panel.lines.map((series) => lineOf(panel, series)),
    panel.points.map((series) => pointsOf(panel, series)),
  ]);
}

const drawable = (panel: LinePanel, value: number): boolean =>
  Number.isFinite(value) && (!panel.positiveOnly || value > 0);

function lineOf(panel: LinePanel, { kind, pale, title, x, y }: LineSeries): Content {
  const path = line<number>()
    .defined((i) => drawable(panel, y[i]!))
    .x((i) => panel.xAxis.position(x[i]!))
    .y((i) => panel.yAxis.position(y[i]!))
    .digits(1);
  const d = path([...y.keys()]);
  if (d === null) return null;
  const drawn = html`<path class="line ${kind}${pale ? " pale" : ""}" d="${d}"/>${lonePoints(panel, { kind, x, y })}`;
  // A thin line is hard to point at, so an invisible wide one lies over it.
  return title === undefined
    ? drawn
    : html`<g class="run" data-look="${kind}">${drawn}<path class="target" d="${d}"/><title>${title}</title></g>\n`;
}

/** Points of a line that no other is next to, where a line shows nothing: dots in its colour. */
function lonePoints(panel: LinePanel, { kind, x, y }: Pick<LineSeries, "kind" | "x" | "y">): Content {
  const isDrawn = (i: number): boolean => i in y && drawable(panel, y[i]!);
  const alone = [...y.keys()].filter((i) => isDrawn(i) && !isDrawn(i - 1) && !isDrawn(i + 1));
  if (alone.length === 0) return null;
  const dots = alone.map((i) => {
    const place = `${pixel(panel.xAxis.position(x[i]!))},${pixel(panel.yAxis.position(y[i]!))}`;
    return `M${place}L${place}`;
  });
  return html`<path class="line lone ${kind}" d="${dots.join("")}"/>`;
}

const shapes: Readonly<Record<PointSeries["shape"], { readonly type: SymbolType; readonly area: number }>> = {
  circle: { type: symbolCircle, area: 34 },
  diamond: { type: symbolDiamond, area: 52 },
};

/** A symbol's outline around (0, 0), for the figures and their legends. */
export function outline(shape: PointSeries["shape"]): string {
  const { type, area } = shapes[shape];
  return symbol(type, area).digits(1)() ?? "";
}

/** More points than this hide their line: they show only under the pointer. */
const CROWDED = 30;

function pointsOf(panel: LinePanel, { kind, shape, x, y, tips }: PointSeries): Content {
  const path = outline(shape);
  const dense = x.length > CROWDED ? " dense" : "";
  return x.map((value, i) => {
    if (!drawable(panel, y[i]!)) return null;
    const place = `${pixel(panel.xAxis.position(value))} ${pixel(panel.yAxis.position(y[i]!))}`;
    return html`<path class="point ${kind}${dense}" transform="translate(${place})" d="${path}"><title>${tips[i]!}</title></path>\n`;
  });
}

function gapMarks({ gaps, xAxis, box }: LinePanel): Content {
  const columns = pixelColumns(gaps, xAxis);
  if (columns.length === 0) return null;
  return html`<path class="gap" d="${columns.map((x) => `M${x} ${box.top}v7`).join("")}"/>`;
}

/** More lines across than this would hide the curves: they are short then. */
const MOST_LINES_ACROSS = 40;

function turnLines({ turns, xAxis, box }: LinePanel): Content {
  if (turns === undefined) return null;
  const lines = (kind: keyof TurnMarks, columns: readonly number[], top: number): Content =>
    columns.length === 0
      ? null
      : html`<path class="turn ${kind}" d="${columns.map((x) => `M${x} ${box.bottom}V${top}`).join("")}"/>`;
  const back = pixelColumns(turns.rolledBack, xAxis);
  const on = pixelColumns(turns.goneOn, xAxis);
  return [
    lines("goneOn", on, box.bottom - 7),
    lines("rolledBack", back, turns.rolledBack.length > MOST_LINES_ACROSS ? box.bottom - 16 : box.top),
  ];
}

/** One mark a pixel at most, so that what happens all the time does not make a page of marks. */
const pixelColumns = (values: readonly number[], axis: Axis): readonly number[] => [
  ...new Set(values.map((x) => Math.round(axis.position(x)))),
];

function hoverAttributes(panel: LinePanel, hover: NonNullable<LinePanel["hover"]>): Markup {
  const xs = hover.x.map((x) => pixel(panel.xAxis.position(x)));
  // A point that is not drawn has no height: the cursor line still finds its text.
  const ys = hover.y.map((y) => (drawable(panel, y) ? pixel(panel.yAxis.position(y)) : ""));
  return html`data-tips="${hover.tips}" data-x="${xs.join(" ")}" data-y="${ys.join(",")}"`;
}
