// Lines of several contenders in one figure: seven colours that the colour-blind tell apart, and three dashes, so that those who
// stand next to each other differ in both and a grey page still tells them apart.

import type { SeriesKind } from "./linePanel.ts";
import { contenderColours } from "./palette.ts";

const DASHES = ["none", "8 2.5", "2.5 2"];

/** Beyond these, looks come again. */
export const DISTINCT_CONTENDERS: number = contenderColours.length * DASHES.length;

/** The look of contender `index`. */
export const contenderKind = (index: number): SeriesKind => `contender${index % DISTINCT_CONTENDERS}`;

function ruleOf(index: number): string {
  const colour = `var(--contender${index % contenderColours.length})`;
  // Shifted by one each time that the colours come again, so that none has the same dash twice.
  const dash = DASHES[(index + Math.floor(index / contenderColours.length)) % DASHES.length]!;
  const kind = contenderKind(index);
  return `.line.${kind} { stroke: ${colour}; stroke-dasharray: ${dash}; } .point.${kind} { stroke: ${colour}; fill: ${colour}; }`;
}

/** The style sheet's part for them. */
export const contenderStyle: string = Array.from({ length: DISTINCT_CONTENDERS }, (_, index) =>
  ruleOf(index),
).join("\n");
