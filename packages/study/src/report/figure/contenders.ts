// Lines of several contenders in one figure: seven colours that the colour-blind tell apart, each solid first and dashed
// when it comes again, and a grey page still has their order in the legend.

import type { SeriesKind } from "./linePanel.ts";
import { contenderColours } from "./palette.ts";

const DASHES = ["none", "7 3", "2 2.5"];

/** Beyond these, looks come again. */
export const DISTINCT_CONTENDERS: number = contenderColours.length * DASHES.length;

/** The look of contender `index`. */
export const contenderKind = (index: number): SeriesKind => `contender${index % DISTINCT_CONTENDERS}`;

function ruleOf(index: number): string {
  const colour = `var(--contender${index % contenderColours.length})`;
  const dash = DASHES[Math.floor(index / contenderColours.length)]!;
  const kind = contenderKind(index);
  return `.line.${kind} { stroke: ${colour}; stroke-dasharray: ${dash}; } .point.${kind} { stroke: ${colour}; fill: ${colour}; }`;
}

/** The style sheet's part for them. */
export const contenderStyle: string = Array.from({ length: DISTINCT_CONTENDERS }, (_, index) =>
  ruleOf(index),
).join("\n");
