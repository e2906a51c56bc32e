// One bar a node: its simulated time, split into compute, communication and waiting. For as many nodes as have room.

import type { NodeTime } from "@atoll/core";
import { formatExact, formatPercent } from "../../format.ts";
import { html, type Markup } from "../html.ts";
import { linearAxis, timeUnit } from "./axis.ts";
import { bottomAxis, boxAttribute, drawing, type PlotBox, pixel } from "./plot.ts";

/** The kinds in the order in which they are stacked. */
export const timeKinds = ["compute", "communication", "waiting"] as const;
export type TimeKind = (typeof timeKinds)[number];

export const totalOf = (node: NodeTime): number => node.compute + node.communication + node.waiting;

/** What hovering over a node's bar says. */
export function timeTip(rank: number, node: NodeTime): string {
  const total = totalOf(node);
  const share = (kind: TimeKind): string => (total > 0 ? ` (${formatPercent(node[kind] / total, 1)})` : "");
  return [
    `node ${rank}`,
    ...timeKinds.map((kind) => `${kind} ${formatExact(node[kind])} s${share(kind)}`),
  ].join("\n");
}

export function timeBars(nodes: readonly NodeTime[]): Markup {
  const pitch = nodes.length <= 8 ? 28 : 20;
  const bottom = 8 + nodes.length * pitch;
  const box: PlotBox = { width: 700, height: bottom + 46, left: 66, right: 688, top: 4, bottom };
  const longest = Math.max(...nodes.map(totalOf));
  const axis = linearAxis({
    domain: [0, longest],
    range: [box.left, box.right],
    label: "simulated time",
    unit: timeUnit(longest),
    tickCount: 8,
  });
  const bars = nodes.map((node, rank) => {
    const top = 8 + rank * pitch;
    return html`<g class="bar"><text x="${box.left - 8}" y="${top + pitch / 2 + 1}" text-anchor="end">node ${rank}</text>
${segments(node).map(
  ({ kind, start, end }) =>
    html`<rect class="${kind}" x="${pixel(axis.position(start))}" y="${top}" width="${pixel(axis.position(end) - axis.position(start))}" height="${pitch - 6}"/>`,
)}<title>${timeTip(rank, node)}</title></g>\n`;
  });
  return drawing(box, "Simulated time of each node by kind", boxAttribute(box), [
    bottomAxis(axis, box),
    bars,
  ]);
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
