// How the time of all nodes divides over a run: stacked areas over time, which add up to all nodes.

import { area, curveStepAfter } from "d3-shape";
import { type ActivityKind, type ActivityProfile, activityKinds } from "../../activity.ts";
import { html, type Markup } from "../html.ts";
import { activityClass } from "./activityLanes.ts";
import { linearAxis, timeUnit } from "./axis.ts";
import { bottomAxis, boxAttribute, drawing, leftAxis, type PlotBox } from "./plot.ts";

const box: PlotBox = { width: 860, height: 250, left: 76, right: 848, top: 26, bottom: 204 };

/** Columns that the profile should have: two pixels each. */
export const PROFILE_COLUMNS: number = (box.right - box.left) / 2;

/** @param time what the run's seconds are called */
export function activityAreas({ width, shares }: ActivityProfile, time: string): Markup {
  const columns = shares.compute.length;
  const end = width * columns;
  const x = linearAxis({
    domain: [0, end],
    range: [box.left, box.right],
    label: time,
    unit: timeUnit(end),
    tickCount: 8,
  });
  const y = linearAxis({
    domain: [0, 1],
    range: [box.bottom, box.top + 4],
    label: "nodes (%)",
    unit: { factor: 0.01, symbol: "" },
  });
  const layers = activityKinds.map((kind, layer) => {
    const lower = activityKinds.slice(0, layer);
    // A step needs both edges of each column: the right edge of the last one repeats its value.
    const at = (i: number): number => Math.min(i, columns - 1);
    const below = (i: number): number => lower.reduce((total, other) => total + shares[other][at(i)]!, 0);
    if (isNothing(shares[kind])) return null;
    const path = area<number>()
      .x((i) => x.position(i * width))
      .y0((i) => y.position(Math.min(1, below(i))))
      .y1((i) => y.position(Math.min(1, below(i) + shares[kind][at(i)]!)))
      .curve(curveStepAfter)
      .digits(1);
    return html`<path class="${activityClass(kind)}" d="${path([...Array(columns + 1).keys()])}"/>`;
  });
  return drawing(box, "What the nodes did over the run", boxAttribute(box), [
    leftAxis(y, box),
    layers,
    bottomAxis(x, box),
  ]);
}

const isNothing = (values: Float64Array): boolean => values.every((value) => value === 0);

/** The kinds that a profile has any of. */
export const presentKinds = ({ shares }: ActivityProfile): readonly ActivityKind[] =>
  activityKinds.filter((kind) => !isNothing(shares[kind]));
