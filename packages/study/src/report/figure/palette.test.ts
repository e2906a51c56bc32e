// Colours as the colour-blind see them: far enough apart to be told from each other, and from the paper.
// Simulation: Machado, Oliveira, Fernandes, "A physiologically-based model for simulation of color vision deficiency" (IEEE
// TVCG 2009), severity 1, in linear RGB. Distance: ΔE of CIE 1976, in which about 2.3 can just be seen.

import { describe, expect, test } from "vitest";
import { contenderStyle, DISTINCT_CONTENDERS } from "./contenders.ts";
import {
  activityColours,
  colours,
  contenderColours,
  heatColours,
  type Shades,
  seriesColours,
} from "./palette.ts";

type Triple = readonly [number, number, number];
type Matrix = readonly [Triple, Triple, Triple];

const eyes: Readonly<Record<string, Matrix>> = {
  "usual sight": [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
};

const linear = (hex: string): Triple =>
  [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as unknown as Triple;

const times = (matrix: Matrix, [r, g, b]: Triple): Triple =>
  matrix.map((row) => row[0] * r + row[1] * g + row[2] * b) as unknown as Triple;

const SRGB: Matrix = [
  [0.4124564, 0.3575761, 0.1804375],
  [0.2126729, 0.7151522, 0.072175],
  [0.0193339, 0.119192, 0.9503041],
];
const WHITE: Triple = [0.95047, 1, 1.08883];

/** Of a colour as these eyes see it: lightness, red against green, blue against yellow. */
function lab(hex: string, eye: Matrix): Triple {
  const seen = times(eye, linear(hex)).map((value) => Math.min(1, Math.max(0, value))) as unknown as Triple;
  const [x, y, z] = times(SRGB, seen).map((value, i) => {
    const part = value / WHITE[i]!;
    return part > 0.008856 ? Math.cbrt(part) : 7.787 * part + 16 / 116;
  }) as unknown as Triple;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function distance(a: string, b: string, eye: Matrix): number {
  const [first, second] = [lab(a, eye), lab(b, eye)];
  return Math.hypot(first[0] - second[0], first[1] - second[1], first[2] - second[2]);
}

const luminance = (hex: string): number => times(SRGB, linear(hex))[1];

/** The ratio of WCAG 2. */
function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const schemes = ["light", "dark"] as const;
const pairs = <T>(values: readonly T[]): readonly (readonly [T, T])[] =>
  values.flatMap((a, i) => values.slice(i + 1).map((b) => [a, b] as const));

/** Sets of which the members stand side by side in a figure, and how far apart the nearest two are at least. */
const sets: readonly (readonly [name: string, shades: readonly Shades[], least: number])[] = [
  ["what a node does", Object.values(activityColours), 18],
  ["series of one run", Object.values(seriesColours), 18],
  ["contenders", contenderColours, 14],
];

describe.each(Object.entries(eyes))("with %s", (_, eye) => {
  test.each(sets)("%s", (_name, shades, least) => {
    for (const scheme of [0, 1] as const)
      for (const [a, b] of pairs(shades))
        expect(distance(a[scheme], b[scheme], eye), `${a[scheme]} and ${b[scheme]}`).toBeGreaterThan(least);
  });

  test("the steps of a heat-map go one way, evenly enough to be read", () => {
    for (const scheme of [0, 1] as const) {
      const lightness = heatColours.map((shades) => lab(shades[scheme], eye)[0]);
      const steps = lightness
        .slice(1)
        .map((value, i) => (scheme === 0 ? lightness[i]! - value : value - lightness[i]!));
      for (const step of steps) expect(step).toBeGreaterThan(4);
    }
  });
});

test("contenders have looks of their own, and neighbours differ in their dashes, too", () => {
  const looks = [
    ...contenderStyle.matchAll(/\.line\.contender\d+ \{ stroke: ([^;]+); stroke-dasharray: ([^;]+);/g),
  ];
  const [colour, dash] = [looks.map(([, name]) => name), looks.map(([, , pattern]) => pattern)];
  expect(looks).toHaveLength(DISTINCT_CONTENDERS);
  expect(new Set(looks.map((_, i) => `${colour[i]} ${dash[i]}`)).size).toBe(DISTINCT_CONTENDERS);
  for (let i = 1; i < contenderColours.length; i++) expect(dash[i]).not.toBe(dash[i - 1]);
});

test("lines and marks stand out from the page, text can be read on it", () => {
  for (const [scheme] of schemes.entries()) {
    const paper = colours.paper![scheme as 0 | 1];
    for (const shades of [...Object.values(seriesColours), ...contenderColours])
      expect(contrast(shades[scheme as 0 | 1], paper)).toBeGreaterThan(3);
    for (const name of ["ink", "quiet", "good", "bad"])
      expect(contrast(colours[name]![scheme as 0 | 1], paper)).toBeGreaterThan(4.5);
  }
});
