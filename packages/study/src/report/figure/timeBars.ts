// One bar a node or a run: its simulated time, split into compute, communication and waiting. For as many as have room.

import type { NodeTime } from "@atoll/core";
import { formatExact, formatPercent } from "../../format.ts";
import { html, type Markup } from "../html.ts";
import { linearAxis, timeUnit } from "./axis.ts";
import { bottomAxis, boxAttribute, drawing, type PlotBox, pixel } from "./plot.ts";

/** The kinds in the order in which they are stacked. */
export const timeKinds = ["compute", "communication", "waiting"] as const;
export type TimeKind = (typeof timeKinds)[number];

export const totalOf = (node: NodeTime): number => node.compute + node.communication + node.waiting;

/** What hovering over a bar says. */
export function timeTip(label: string, node: NodeTime): string {
  const total = totalOf(node);
  const share = (kind: TimeKind): string => (total > 0 ? ` (${formatPercent(node[kind] / total, 1)})` : "");
  return [label, ...timeKinds.map((kind) => `${kind} ${formatExact(node[kind])} s${share(kind)}`)].join("\n");
}

export interface Bar {
  readonly label: string;
  readonly time: NodeTime;
}

/** Pixels of a letter of the figures' font, about. */
const LETTER = 7.2;

export function timeBars(bars: readonly Bar[]): Markup {
  const pitch = bars.length <= 8 ? 28 : 20;
  const bottom = 8 + bars.length * pitch;
  const left = Math.max(66, 14 + Math.ceil(LETTER * Math.max(...bars.map(({ label }) => label.length))));
  const box: PlotBox = { width: 700, height: bottom + 46, left, right: 688, top: 4, bottom };
  const longest = Math.max(...bars.map(({ time }) => totalOf(time)));
  const axis = linearAxis({
    domain: [0, longest],
    range: [box.left, box.right],
    label: "time",
    unit: timeUnit(longest),
    tickCount: 8,
  });
  const drawn = bars.map(({ label, time }, i) => {
    const top = 8 + i * pitch;
    return html`<g class="bar"><text x="${box.left - 8}" y="${top + pitch / 2 + 1}" text-anchor="end">${label}</text>
${segments(time).map(
  ({ kind, start, end }) =>
    html`<rect class="${kind}" x="${pixel(axis.position(start))}" y="${top}" width="${pixel(axis.position(end) - axis.position(start))}" height="${pitch - 6}"/>`,
)}<title>${timeTip(label, time)}</title></g>\n`;
  });
  return drawing(box, "Time by kind", boxAttribute(box), [bottomAxis(axis, box), drawn]);
}

/** Start and end of each kind, one after the other. */
function segments(node: NodeTime): readonly { kind: TimeKind; start: number; end: number }[] {
  let end = 0;
  return timeKinds.map((kind) => {
    const start = end;
    end += node[kind];
    return { kind, start, end };
  });
}
