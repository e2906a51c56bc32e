// The time split of many nodes as a profile: nodes side by side in the order of their busy time, stacked areas.
// Stragglers stand at the right end, and what they cost the others is the band of waiting above these.

import type { NodeTime } from "@atoll/core";
import { area, curveStepBefore } from "d3-shape";
import { html, type Markup } from "../html.ts";
import { linearAxis, timeUnit } from "./axis.ts";
import { evenly } from "./downsample.ts";
import { bottomAxis, boxAttribute, drawing, leftAxis, type PlotBox, pixel } from "./plot.ts";
import { timeKinds, timeTip, totalOf } from "./timeBars.ts";

/** Columns that can be told apart at this width. */
const MOST_COLUMNS = 512;

const box: PlotBox = { width: 700, height: 300, left: 56, right: 688, top: 26, bottom: 254 };

const busyOf = ({ compute, communication }: NodeTime): number => compute + communication;

export interface TimeProfile {
  readonly drawing: Markup;
  /** What hovering over each column says; the page puts it where the script looks for it. */
  readonly tips: readonly string[];
  readonly columns: number;
}

export function timeProfile(nodes: readonly NodeTime[], tipsId: string): TimeProfile {
  const sorted = nodes
    .map((node, rank) => ({ node, rank }))
    .sort((a, b) => busyOf(a.node) - busyOf(b.node) || a.rank - b.rank);
  const columns = evenly(sorted.length, MOST_COLUMNS).map((i) => sorted[i]!);
  const longest = Math.max(...nodes.map(totalOf));
  const x = linearAxis({
    domain: [0, 100],
    range: [box.left, box.right],
    label: "nodes, from the least to the most busy (percentile)",
    tickCount: 10,
  });
  const y = linearAxis({
    domain: [0, longest],
    range: [box.bottom, box.top + 4],
    label: "time",
    unit: timeUnit(longest),
  });
  const edge = (i: number): number => x.position((100 * i) / columns.length);
  const layers = timeKinds.map((kind, layer) => {
    const below = (node: NodeTime): number => timeKinds.slice(0, layer).reduce((sum, k) => sum + node[k], 0);
    // A step needs both edges of each column: the value at an edge is that of the column before it.
    const at = (i: number): NodeTime => columns[Math.max(0, i - 1)]!.node;
    const path = area<number>()
      .x(edge)
      .y0((i) => y.position(below(at(i))))
      .y1((i) => y.position(below(at(i)) + at(i)[kind]))
      .curve(curveStepBefore)
      .digits(1);
    return html`<path class="${kind}" d="${path([...Array(columns.length + 1).keys()])}"/>`;
  });
  const centres = columns.map((_, i) => pixel((edge(i) + edge(i + 1)) / 2));
  const tops = columns.map(({ node }) => pixel(y.position(totalOf(node))));
  const attributes = html`${boxAttribute(box)} data-tips="${tipsId}" data-x="${centres.join(" ")}" data-y="${tops.join(",")}"`;
  return {
    drawing: drawing(box, "Time of all nodes by kind, from the least to the most busy", attributes, [
      leftAxis(y, box),
      layers,
      bottomAxis(x, box),
    ]),
    tips: columns.map(({ node, rank }) => timeTip(`node ${rank}`, node)),
    columns: columns.length,
  };
}
