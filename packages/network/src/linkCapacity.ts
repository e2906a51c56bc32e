// What one direction of a link carries over time: its bandwidth, drawn or given or following a trace, less what background
// traffic takes of it.

import type { Random } from "@atoll/core";
import { FreePart } from "./background.ts";
import type { Link } from "./link.ts";
import type { ResolvedNetwork, TraceLookup } from "./options.ts";
import { product, type Steps, scaled } from "./steps.ts";
import { TraceBandwidth } from "./trace.ts";

export interface LinkCapacity {
  /** Bytes per second; the mean over time if it changes. */
  readonly mean: number;
  /** Undefined if it never changes. */
  readonly steps: Steps | undefined;
}

/** Whether any link's capacity changes over time. */
export const hasChangingLinks = ({ trace, between, given, background }: ResolvedNetwork): boolean =>
  background !== null ||
  trace !== null ||
  (between !== null && between.trace !== null) ||
  given.some((link) => link.trace !== undefined);

/** @param random the network's stream, which is not used up */
export function linkCapacity(
  { source, target, bandwidth }: Link,
  traceOf: TraceLookup,
  { background }: ResolvedNetwork,
  random: Random,
): LinkCapacity {
  const trace = traceOf(source, target);
  const whole = trace === null ? undefined : new TraceBandwidth(trace, random, source, target);
  if (background === null) return { mean: bandwidth, steps: whole };
  const free = new FreePart(background, random, source, target);
  return {
    mean: bandwidth * (1 - background.load),
    steps: whole === undefined ? scaled(free, bandwidth) : product(whole, free),
  };
}
