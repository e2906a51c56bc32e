// When nodes were absent, one lane a node over time: down, left behind, back by recovery; roll-backs across.
// Lanes are drawn in columns of a pixel, so that a node with thousands of crashes is no larger than its lane.

import { formatSeconds } from "@atoll/core";
import { sum } from "d3-array";
import type { Absence, Hindrance, NodeTimeline } from "../../faults.ts";
import { formatCount } from "../../format.ts";
import { type Content, html, type Markup } from "../html.ts";
import { type Axis, linearAxis, timeUnit } from "./axis.ts";
import { bottomAxis, boxAttribute, drawing, type PlotBox, pixel } from "./plot.ts";

/** Centres of recovery marks are at least this far apart. */
const MARK_PITCH = 5;
/** Rolled back more often than this, runs show where, but not each time across all lanes. */
const MOST_LINES_ACROSS = 60;

export interface FaultSpan {
  /** Seconds at the right edge; above 0. */
  readonly end: number;
  /** What these seconds are called. */
  readonly time: string;
}

/** The axis of time of the figures of faults. */
export const faultAxis = ({ end, time }: FaultSpan, { left, right }: PlotBox): Axis =>
  linearAxis({
    domain: [0, end],
    range: [left, right],
    label: time,
    unit: timeUnit(end),
    tickCount: 8,
  });

/**
 * @param timelines the nodes to draw, in order
 * @param o.rollBacks seconds since the run's start
 */
export function faultTimeline(
  timelines: readonly NodeTimeline[],
  { end, time, rollBacks }: FaultSpan & { readonly rollBacks: readonly number[] },
): Markup {
  const pitch = timelines.length <= 8 ? 26 : 18;
  const bottom = 8 + timelines.length * pitch;
  const box: PlotBox = { width: 700, height: bottom + 46, left: 76, right: 688, top: 4, bottom };
  const axis = faultAxis({ end, time }, box);
  const lanes = timelines.map((timeline, i) => lane(timeline, { axis, box, top: 8 + i * pitch, pitch, end }));
  return drawing(box, "When each node was down or left behind", boxAttribute(box), [
    bottomAxis(axis, box),
    lanes,
    linesAcross(rollBacks, axis, box),
  ]);
}

interface Lane {
  readonly axis: Axis;
  readonly box: PlotBox;
  readonly top: number;
  readonly pitch: number;
  readonly end: number;
}

function lane(timeline: NodeTimeline, { axis, box, top, pitch, end }: Lane): Markup {
  const height = pitch - 6;
  const middle = top + height / 2;
  const columns = absenceByColumn(timeline, axis, box);
  const bars = (kind: Absence): Content => {
    const d = runsOf(columns, kind).map(
      ({ start, length }) =>
        `M${box.left + start} ${middle}h${Math.min(length, box.right - box.left - start)}`,
    );
    return d.length === 0 ? null : html`<path class="${kind}" stroke-width="${height}" d="${d.join("")}"/>`;
  };
  return html`<g class="node-lane"><text x="${box.left - 8}" y="${middle + 4}" text-anchor="end">node ${timeline.rank}</text><rect class="lane" x="${box.left}" y="${top}" width="${box.right - box.left}" height="${height}"/>${bars("behind")}${bars("down")}${hindrances(timeline, { axis, box, top, height })}${recoveryMarks(timeline, axis, middle, height)}<title>${laneTip(timeline, end)}</title></g>\n`;
}

/** Thin bars at the lane's edges, over whole pixels: slow below, links down above. */
function hindrances(
  { hindered }: NodeTimeline,
  {
    axis,
    box: { left, right },
    top,
    height,
  }: Pick<Lane, "axis" | "box" | "top"> & { readonly height: number },
): Content {
  const bar = (wanted: Hindrance, y: number): Content => {
    const covered = new Uint8Array(right - left);
    for (const { kind, from, until } of hindered)
      if (kind === wanted) {
        const first = Math.min(Math.floor(axis.position(from) - left), covered.length - 1);
        covered.fill(1, first, Math.max(first + 1, Math.round(axis.position(until) - left)));
      }
    const columns = Array.from(covered, (is) => (is === 1 ? wanted : undefined));
    const d = runsOf(columns, wanted).map(({ start, length }) => `M${left + start} ${y}h${length}`);
    return d.length === 0 ? null : html`<path class="${wanted}" stroke-width="4" d="${d.join("")}"/>`;
  };
  return [bar("slow", top + height - 2), bar("cut", top + 2)];
}

/** For each pixel of the lane what the node was in it; down hides being behind, however short it is. */
function absenceByColumn(
  { absent }: NodeTimeline,
  axis: Axis,
  { left, right }: PlotBox,
): readonly (Absence | undefined)[] {
  const columns = new Array<Absence | undefined>(right - left).fill(undefined);
  for (const { kind, from, until } of absent) {
    const first = Math.min(Math.floor(axis.position(from) - left), columns.length - 1);
    const last = Math.max(first + 1, Math.min(Math.round(axis.position(until) - left), columns.length));
    for (let column = first; column < last; column++)
      if (kind === "down" || columns[column] === undefined) columns[column] = kind;
  }
  return columns;
}

function runsOf<K extends Absence | Hindrance>(
  columns: readonly (K | undefined)[],
  kind: K,
): readonly { readonly start: number; readonly length: number }[] {
  const runs: { start: number; length: number }[] = [];
  columns.forEach((column, i) => {
    if (column !== kind) return;
    if (columns[i - 1] === kind) runs.at(-1)!.length++;
    else runs.push({ start: i, length: 1 });
  });
  return runs;
}

/** Dots; of several that would cover each other, the first. */
function recoveryMarks({ recoveries }: NodeTimeline, axis: Axis, y: number, height: number): Content {
  const places: number[] = [];
  for (const x of recoveries.map((time) => pixel(axis.position(time))))
    if (places.length === 0 || x - places.at(-1)! >= MARK_PITCH) places.push(x);
  if (places.length === 0) return null;
  const d = places.map((x) => `M${x} ${y}h0`).join("");
  return html`<path class="recovered" stroke-width="${Math.min(8, height / 2)}" d="${d}"/>`;
}

function linesAcross(times: readonly number[], axis: Axis, { top, bottom }: PlotBox): Content {
  const columns = [...new Set(times.map((time) => Math.round(axis.position(time))))];
  if (columns.length === 0) return null;
  const until = columns.length > MOST_LINES_ACROSS ? bottom - 8 : top;
  return html`<path class="turn rolledBack" d="${columns.map((x) => `M${x} ${bottom}V${until}`).join("")}"/>`;
}

/** Seconds that a node was absent, of one kind or of all. */
export const absentSeconds = ({ absent }: NodeTimeline, wanted?: Absence): number =>
  sum(absent, ({ kind, from, until }) => (wanted === undefined || kind === wanted ? until - from : 0));

function laneTip(timeline: NodeTimeline, end: number): string {
  const { rank, crashes, recoveries } = timeline;
  const times = (count: number): string => (count === 1 ? "once" : `${formatCount(count)} times`);
  const down = absentSeconds(timeline, "down");
  const behind = absentSeconds(timeline, "behind");
  const hindered = (wanted: Hindrance): number =>
    timeline.hindered.filter(({ kind }) => kind === wanted).length;
  return [
    `node ${rank}`,
    crashes > 0
      ? `crashed ${times(crashes)}, down for ${formatSeconds(down)} of ${formatSeconds(end)}`
      : null,
    behind > 0 ? `left behind or without its state for ${formatSeconds(behind)}` : null,
    recoveries.length > 0 ? `recovered ${times(recoveries.length)}` : null,
    hindered("slow") > 0 ? `slow ${times(hindered("slow"))}` : null,
    hindered("cut") > 0 ? `links down ${times(hindered("cut"))}` : null,
    crashes === 0 && behind === 0 ? "with the others all the time" : null,
  ]
    .filter((line) => line !== null)
    .join("\n");
}
