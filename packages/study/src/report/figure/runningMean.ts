// The bold line through a noisy training loss: a running mean, centred, so that it does not lag behind.
// Points at the same place (steps between two communications have sent the same bytes) are one point, their mean.

import { mean } from "d3-array";
import { evenly } from "./downsample.ts";

export interface Mean {
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Distinct places that one mean goes over; 1 leaves the series as it is. */
  readonly window: number;
}

/**
 * The running mean of y over x (ascending), at no more than `count` places. Values that are not finite are left out
 * of the means; where a window holds nothing else the mean is NaN.
 */
export function runningMean(x: readonly number[], y: readonly number[], count: number): Mean {
  const groups = groupEqual(x, y);
  const window = 2 * Math.floor(groups.x.length / 80) + 1;
  const half = (window - 1) / 2;
  const places = evenly(groups.x.length, count);
  return {
    window,
    x: places.map((place) => groups.x[place]!),
    y: places.map((place) => finiteMean(groups.y.slice(Math.max(0, place - half), place + half + 1))),
  };
}

function groupEqual(x: readonly number[], y: readonly number[]): { x: number[]; y: number[] } {
  const result = { x: [] as number[], y: [] as number[] };
  for (let start = 0; start < x.length; ) {
    let end = start + 1;
    while (end < x.length && x[end] === x[start]) end++;
    result.x.push(x[start]!);
    result.y.push(finiteMean(y.slice(start, end)));
    start = end;
  }
  return result;
}

const finiteMean = (values: readonly number[]): number => mean(values.filter(Number.isFinite)) ?? Number.NaN;
