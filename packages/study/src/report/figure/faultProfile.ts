// How many of many nodes were absent at a time: stacked areas over time, down below and left behind above.
// Which nodes these were is what faultTimeline.ts shows.

import { area, curveStepAfter } from "d3-shape";
import type { Absence, NodeTimeline } from "../../faults.ts";
import { html, type Markup } from "../html.ts";
import { linearAxis } from "./axis.ts";
import { type FaultSpan, faultAxis } from "./faultTimeline.ts";
import { bottomAxis, boxAttribute, drawing, leftAxis, type PlotBox } from "./plot.ts";

const box: PlotBox = { width: 700, height: 250, left: 76, right: 688, top: 26, bottom: 204 };
/** Each is a pixel wide. */
const COLUMNS = box.right - box.left;

/** From the lowest layer up. */
const kinds: readonly Absence[] = ["down", "behind"];

export function faultProfile(timelines: readonly NodeTimeline[], span: FaultSpan): Markup {
  const { end } = span;
  const counts = { down: meanCounts(timelines, "down", end), behind: meanCounts(timelines, "behind", end) };
  const most = counts.down.reduce((highest, down, i) => Math.max(highest, down + counts.behind[i]!), 0);
  const x = faultAxis(span, box);
  const y = linearAxis({
    domain: [0, Math.max(1, most)],
    range: [box.bottom, box.top + 4],
    label: "nodes absent",
    whole: true,
  });
  const layers = kinds.map((kind, layer) => {
    const below = (i: number): number =>
      kinds.slice(0, layer).reduce((total, lower) => total + counts[lower][i]!, 0);
    // A step needs both edges of each column: the right edge of the last one repeats its value.
    const at = (i: number): number => Math.min(i, COLUMNS - 1);
    const path = area<number>()
      .x((i) => box.left + i)
      .y0((i) => y.position(below(at(i))))
      .y1((i) => y.position(below(at(i)) + counts[kind][at(i)]!))
      .curve(curveStepAfter)
      .digits(1);
    return html`<path class="area ${kind}" d="${path([...Array(COLUMNS + 1).keys()])}"/>`;
  });
  return drawing(box, "How many nodes were down or left behind", boxAttribute(box), [
    leftAxis(y, box),
    layers,
    bottomAxis(x, box),
  ]);
}

/** In each column the mean over its time of how many nodes were absent in this way. */
function meanCounts(timelines: readonly NodeTimeline[], wanted: Absence, end: number): Float64Array {
  const width = end / COLUMNS;
  // Changes of the sum's slope at the edges of intervals, spread over the columns that they lie between.
  const change = new Float64Array(COLUMNS + 2);
  const turn = (time: number, by: number): void => {
    const place = Math.min(time / width, COLUMNS);
    const column = Math.floor(place);
    const late = place - column;
    change[column]! += by * (1 - late);
    change[column + 1]! += by * late;
  };
  for (const { absent } of timelines)
    for (const { kind, from, until } of absent)
      if (kind === wanted) {
        turn(from, 1);
        turn(until, -1);
      }
  const counts = new Float64Array(COLUMNS);
  let running = 0;
  for (let i = 0; i < COLUMNS; i++) {
    running += change[i]!;
    // Rounding leaves a trace of what has come and gone.
    counts[i] = Math.max(0, Math.round(running * 1e6) / 1e6);
  }
  return counts;
}
