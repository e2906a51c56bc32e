// A Gantt chart: what nodes did when, one lane a node over time.

import { formatSeconds } from "@atoll/core";
import { sum } from "d3-array";
import { type ActivityKind, type ActivitySpan, activityKinds, type TimeWindow } from "../../activity.ts";
import { formatPercent } from "../../format.ts";
import { type Content, html, type Markup } from "../html.ts";
import { type Axis, linearAxis, timeUnit } from "./axis.ts";
import { bottomAxis, boxAttribute, drawing, type PlotBox, pixel } from "./plot.ts";

export interface ActivityLane {
  readonly rank: number;
  readonly spans: readonly ActivitySpan[];
}

/** Moments of the run as a whole, in seconds since its start. */
export interface Moments {
  readonly checkpoints: readonly number[];
  readonly rollBacks: readonly number[];
}

/** The class of a kind in the style sheet; being absent looks as it does in the figures of faults. */
export const activityClass = (kind: ActivityKind): string => (kind === "absent" ? "area down" : kind);

export interface ActivityChart {
  readonly lanes: readonly ActivityLane[];
  readonly window: TimeWindow;
  readonly moments: Moments;
  /** What the run's seconds are called. */
  readonly time: string;
}

export function activityLanes({ lanes, window, moments, time }: ActivityChart): Markup {
  const pitch = lanes.length <= 8 ? 26 : 18;
  const bottom = 8 + lanes.length * pitch;
  const box: PlotBox = { width: 860, height: bottom + 46, left: 76, right: 848, top: 4, bottom };
  const axis = windowAxis(window, box, time);
  const drawn = lanes.map((lane, i) =>
    drawLane(lane, { axis, box, top: 8 + i * pitch, height: pitch - 5, window }),
  );
  const across = (className: string, times: readonly number[]): Content => {
    const inside = times.filter((time) => time >= window.from && time <= window.until);
    const columns = [...new Set(inside.map((time) => Math.round(axis.position(time))))];
    if (columns.length === 0) return null;
    return html`<path class="turn ${className}" d="${columns.map((x) => `M${x} ${bottom}V${box.top}`).join("")}"/>`;
  };
  return drawing(box, "What each node did when", boxAttribute(box), [
    bottomAxis(axis, box),
    drawn,
    across("checkpoint", moments.checkpoints),
    across("rolledBack", moments.rollBacks),
  ]);
}

/** A window late in a run may be so short that its ticks agree in their first digits: it counts from its own start then. */
function windowAxis({ from, until }: TimeWindow, { left, right }: PlotBox, time: string): Axis {
  const length = until - from;
  const isLate = from > 5 * length;
  const start = isLate ? from : 0;
  const unit = timeUnit(until - start);
  const axis = linearAxis({
    domain: [from - start, until - start],
    range: [left, right],
    label: isLate ? `${time} after ${formatSeconds(from)}` : time,
    unit,
    tickCount: 8,
  });
  return {
    ...axis,
    position: (value) => axis.position(value - start),
    ticks: axis.ticks.map(({ value, label }) => ({ value: value + start, label })),
  };
}

interface Place {
  readonly axis: Axis;
  readonly box: PlotBox;
  readonly top: number;
  readonly height: number;
  readonly window: TimeWindow;
}

function drawLane({ rank, spans }: ActivityLane, { axis, box, top, height, window }: Place): Markup {
  const bars = activityKinds.map((kind): Content => {
    const d = spans
      .filter((span) => span.kind === kind)
      .map(({ from, until }) => {
        const x = pixel(axis.position(from));
        return `M${x} ${top}h${pixel(axis.position(until) - x)}v${height}h${-pixel(axis.position(until) - x)}z`;
      });
    return d.length === 0 ? null : html`<path class="span ${activityClass(kind)}" d="${d.join("")}"/>`;
  });
  return html`<g class="node-lane"><text x="${box.left - 8}" y="${top + height / 2 + 4}" text-anchor="end">node ${rank}</text><rect class="lane" x="${box.left}" y="${top}" width="${box.right - box.left}" height="${height}"/>${bars}<title>${laneTip(rank, spans, window)}</title></g>\n`;
}

function laneTip(rank: number, spans: readonly ActivitySpan[], { from, until }: TimeWindow): string {
  const lines = activityKinds.flatMap((kind) => {
    const seconds = sum(spans, (span) => (span.kind === kind ? span.until - span.from : 0));
    return seconds > 0
      ? [`${kind} ${formatSeconds(seconds)} (${formatPercent(seconds / (until - from), 1)})`]
      : [];
  });
  return [`node ${rank}`, ...lines].join("\n");
}
