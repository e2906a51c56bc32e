// The colours of pages and figures. They follow the palette of Okabe and Ito ("Color universal design", 2008), its green darker
// or lighter than theirs for contrast, and lighter members on a dark page; tests hold them apart as the colour-blind see them.
// Series differ in dash and marker too, and waiting is hatched, so that print and grey show them.

/** On a light page and on a dark one. */
export type Shades = readonly [light: string, dark: string];

const surfaces: Readonly<Record<string, Shades>> = {
  paper: ["#ffffff", "#15171a"],
  ink: ["#1b1c1e", "#e4e6e9"],
  quiet: ["#5b6068", "#a2a8b0"],
  rule: ["#d6d9de", "#3a3e45"],
  faint: ["#eceef1", "#25282d"],
  panel: ["#f6f7f8", "#1d2024"],
};

/** What lines and points stand for in a figure of one run. */
export const seriesColours: Readonly<Record<"training" | "local" | "global", Shades>> = {
  training: ["#0072b2", "#56b4e9"],
  local: ["#d55e00", "#e69f00"],
  global: ["#007a59", "#22c595"],
};

/** What a node does. */
export const activityColours: Readonly<Record<"compute" | "communication" | "waiting" | "down", Shades>> = {
  compute: ["#0072b2", "#56b4e9"],
  communication: ["#e69f00", "#e69f00"],
  waiting: ["#a9aeb6", "#666d77"],
  down: ["#d55e00", "#e8743b"],
};

const signs: Readonly<Record<string, Shades>> = {
  good: ["#007a59", "#22c595"],
  bad: ["#b84a00", "#f0a35e"],
};

/** Runs and other contenders, in the order in which they are given out. */
export const contenderColours: readonly Shades[] = [
  ["#0072b2", "#56b4e9"],
  ["#d55e00", "#ff8c42"],
  ["#007a59", "#22c595"],
  ["#b0568c", "#e39cc8"],
  ["#5e4512", "#f0e442"],
  ["#1b1c1e", "#e4e6e9"],
  ["#5f45d8", "#9a66e6"],
];

/** Amounts from next to nothing to all there is; evenly further from the paper. */
export const heatColours: readonly Shades[] = [
  ["#e8eff6", "#1d2732"],
  ["#cbdcec", "#20384d"],
  ["#a6c6e0", "#23506f"],
  ["#7aabd1", "#2b6c93"],
  ["#4c8dbf", "#3e8ab5"],
  ["#246ea8", "#62a9cf"],
  ["#0b508a", "#95c8e2"],
  ["#05305a", "#d3ebf5"],
];

/** Every colour by the name of its CSS variable. */
export const colours: Readonly<Record<string, Shades>> = {
  ...surfaces,
  ...seriesColours,
  ...activityColours,
  ...signs,
  ...Object.fromEntries(contenderColours.map((shades, i) => [`contender${i}`, shades])),
  ...Object.fromEntries(heatColours.map((shades, i) => [`heat${i}`, shades])),
};

/** Paper needs no grey text, and has no panels. */
const onPaper: Readonly<Record<string, string>> = {
  ink: "#000000",
  quiet: "#444444",
  rule: "#bbbbbb",
  faint: "#e5e5e5",
  panel: "#ffffff",
};

const variables = (shadeOf: (name: string) => string): string =>
  `:root { ${Object.keys(colours)
    .map((name) => `--${name}: ${shadeOf(name)};`)
    .join(" ")} }`;

const light = (name: string): string => colours[name]![0];
const printed = (name: string): string => onPaper[name] ?? light(name);

/** The variables: light, dark where the reader's system is, and always light in print. */
export const colourStyle: string = `:root { color-scheme: light dark; }
${variables(light)}
@media (prefers-color-scheme: dark) { ${variables((name) => colours[name]![1])} }
@media print { :root { color-scheme: light; } ${variables(printed)} }`;

/** A style sheet with the colours of paper in place of variables, which not all programs that read SVG know. */
export const withPrintedColours = (style: string): string =>
  style.replace(/var\(--(\w+)\)/g, (_, name: string) => printed(name));
