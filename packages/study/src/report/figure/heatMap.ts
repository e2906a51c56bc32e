// A heat-map over time: one row a thing, its colour an amount in each column of time. Amounts are shown in steps, so
// that neighbours of one step are one rectangle, and a page of a thousand nodes stays small.

import { type Content, html, type Markup } from "../html.ts";
import { linearAxis, timeUnit } from "./axis.ts";
import type { LegendEntry } from "./legend.ts";
import { heatColours } from "./palette.ts";
import { bottomAxis, boxAttribute, drawing, type PlotBox, pixel } from "./plot.ts";

export interface HeatRow {
  readonly label: string;
  /** What pointing at the row says. */
  readonly tip: string;
  /** From 0 to 1 in each column. */
  readonly values: Float64Array;
}

export interface HeatMap {
  /** Read out in place of the picture. */
  readonly title: string;
  /** Above the rows. */
  readonly heading: string;
  readonly rows: readonly HeatRow[];
  /** Seconds that all columns together cover. */
  readonly end: number;
  /** What these seconds are called. */
  readonly time: string;
}

/** Columns of a row, each some pixels wide. */
export const HEAT_COLUMNS = 192;
const COLUMN = 4;
/** Pixels of a letter of the figures' font, about. */
const LETTER = 7.2;

export function heatMap({ title, heading, rows, end, time }: HeatMap): Markup {
  const pitch = rows.length <= 12 ? 18 : 15;
  const top = 24;
  const bottom = top + rows.length * pitch;
  const left = Math.max(76, 14 + Math.ceil(LETTER * Math.max(...rows.map(({ label }) => label.length))));
  const right = left + HEAT_COLUMNS * COLUMN;
  const box: PlotBox = { width: right + 12, height: bottom + 46, left, right, top, bottom };
  const axis = linearAxis({
    domain: [0, end],
    range: [left, right],
    label: time,
    unit: timeUnit(end),
    tickCount: 8,
  });
  const drawn = rows.map(({ label, tip, values }, i) => {
    const y = top + i * pitch;
    const height = pitch - 2;
    return html`<g class="heat-row"><text x="${left - 8}" y="${pixel(y + height / 2 + 4)}" text-anchor="end">${label}</text><rect class="lane" x="${left}" y="${y}" width="${right - left}" height="${height}"/>${cells(values, left, y, height)}<title>${tip}</title></g>\n`;
  });
  return drawing(box, title, boxAttribute(box), [
    html`<text class="label" x="4" y="12">${heading}</text>`,
    bottomAxis(axis, box),
    drawn,
  ]);
}

/** One path a step of the scale. */
function cells(values: Float64Array, left: number, y: number, height: number): Content {
  const paths = heatColours.map(() => [] as string[]);
  const width = (HEAT_COLUMNS * COLUMN) / values.length;
  for (let start = 0; start < values.length; ) {
    const step = stepOf(values[start]!);
    let end = start + 1;
    while (end < values.length && stepOf(values[end]!) === step) end++;
    if (step !== null)
      paths[step]!.push(
        `M${pixel(left + start * width)} ${y}h${pixel((end - start) * width)}v${height}h${-pixel((end - start) * width)}z`,
      );
    start = end;
  }
  return paths.map((d, step) =>
    d.length === 0 ? null : html`<path class="heat heat${step}" d="${d.join("")}"/>`,
  );
}

/** The step of a scale of equal steps; nothing at all has none. */
const stepOf = (value: number): number | null =>
  value <= 0 ? null : Math.min(heatColours.length - 1, Math.floor(value * heatColours.length));

/** The steps with the amounts up to which they go. @param most what 1 stands for */
export const heatLegend = (most: number, format: (value: number) => string): readonly LegendEntry[] =>
  heatColours.map((_, step) => ({
    mark: { kind: "area", className: `heat${step}` },
    label: `${step === 0 ? "up to " : ""}${format((most * (step + 1)) / heatColours.length)}`,
  }));

/** A round number that is no less than an amount: 1, 2, 5 or 10 times a power of ten. */
export function roundAbove(value: number): number {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((mantissa) => mantissa * power).find((round) => round >= value * (1 - 1e-9))!;
}
