// Lines of several contenders in one figure: seven colours that the colour-blind tell apart, each solid first and dashed
// when it comes again, and a grey page still has their order in the legend. Colours: Okabe and Ito (2008), some of them darker
// or lighter for contrast.

import type { SeriesKind } from "./linePanel.ts";

/** On a light page and on a dark one. */
const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ["#0072b2", "#56b4e9"],
  ["#d55e00", "#ff8c42"],
  ["#007a59", "#22c595"],
  ["#b0568c", "#e39cc8"],
  ["#a87400", "#e69f00"],
  ["#1b1c1e", "#e4e6e9"],
  ["#3a86c8", "#9fd3f2"],
];
const DASHES = ["none", "7 3", "2 2.5"];

/** Beyond these, looks come again. */
export const DISTINCT_CONTENDERS: number = COLOURS.length * DASHES.length;

/** The look of contender `index`. */
export const contenderKind = (index: number): SeriesKind => `contender${index % DISTINCT_CONTENDERS}`;

function ruleOf(index: number): string {
  const colour = `var(--contender${index % COLOURS.length})`;
  const dash = DASHES[Math.floor(index / COLOURS.length)]!;
  const kind = contenderKind(index);
  return `.line.${kind} { stroke: ${colour}; stroke-dasharray: ${dash}; } .point.${kind} { stroke: ${colour}; fill: ${colour}; }`;
}

const variables = (shade: 0 | 1): string =>
  `:root { ${COLOURS.map((colours, i) => `--contender${i}: ${colours[shade]};`).join(" ")} }`;

/** The style sheet's part for them. */
export const contenderStyle: string = [
  variables(0),
  `@media (prefers-color-scheme: dark) { ${variables(1)} }`,
  `@media print { ${variables(0)} }`,
  ...Array.from({ length: DISTINCT_CONTENDERS }, (_, index) => ruleOf(index)),
].join("\n");
