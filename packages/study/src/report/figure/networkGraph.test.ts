// The drawing of a small network: its links' figures are beside their lines, where both can be read.

import { describe, expect, test } from "vitest";
import { type Link, networkGraph } from "./networkGraph.ts";

/** Of the labels' type, from the baseline: what no digit reaches beyond, and how wide one is at most. */
const ASCENT = 9;
const DESCENT = 3;
const DIGIT = 7;

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const linkOf = (source: number, target: number, i: number): Link => ({
  source,
  target,
  bandwidth: 1e6 * 3 ** i,
  latency: 0.0141,
  jitter: 0,
  loss: 0,
});

/** Pairs of nodes, by topology. */
const topologies: Readonly<Record<string, (nodes: number) => readonly (readonly [number, number])[]>> = {
  ring: (nodes) =>
    nodes === 2 ? [[0, 1]] : Array.from({ length: nodes }, (_, i) => [i, (i + 1) % nodes] as const),
  star: (nodes) => Array.from({ length: nodes - 1 }, (_, i) => [0, i + 1] as const),
};

const numbers = (text: string): readonly number[] => (text.match(/-?\d+(\.\d+)?/g) ?? []).map(Number);

function labelsOf(drawing: string): readonly Box[] {
  const labels = drawing.matchAll(
    /<text class="link-label" text-anchor="(\w+)" x="([-\d.]+)" y="([-\d.]+)">([^<]*)<tspan[^>]*dy="(\d+)">([^<]*)</g,
  );
  return [...labels].map(([, anchor, x, y, first, dy, second]) => {
    const width = DIGIT * Math.max(first!.length, second!.length);
    const left = Number(x) - (anchor === "middle" ? width / 2 : anchor === "end" ? width : 0);
    return { left, right: left + width, top: Number(y) - ASCENT, bottom: Number(y) + Number(dy) + DESCENT };
  });
}

/** Whether a line of some width touches a box: looked at in many places along it. */
function touches([x1, y1, x2, y2]: readonly number[], width: number, box: Box): boolean {
  return Array.from({ length: 501 }, (_, i) => i / 500).some((t) => {
    const x = x1! + t * (x2! - x1!);
    const y = y1! + t * (y2! - y1!);
    const half = width / 2;
    return x + half > box.left && x - half < box.right && y + half > box.top && y - half < box.bottom;
  });
}

describe.each(Object.entries(topologies))("the labels of a %s", (name, pairsOf) => {
  test.each([2, 3, 4, 5, 6])("of %i nodes touch no line, and lie inside", (nodes) => {
    const links = pairsOf(nodes).map(([source, target], i) => linkOf(source, target, i));
    const drawing = networkGraph({ name, nodes, islandSize: null, dimensions: null }, links).text;
    const lines = [...drawing.matchAll(/<path d="(M[^"]*)" stroke-width="([\d.]+)"/g)];
    const labels = labelsOf(drawing);
    expect([lines.length, labels.length]).toEqual([links.length, links.length]);
    const [, , , height] = numbers(/viewBox="([^"]*)"/.exec(drawing)![1]!);
    for (const [i, label] of labels.entries()) {
      expect(label.top, `label ${i}`).toBeGreaterThanOrEqual(0);
      expect(label.bottom, `label ${i}`).toBeLessThanOrEqual(height!);
      for (const [, path, width] of lines)
        expect(touches(numbers(path!), Number(width) + 2, label), `label ${i} and ${path}`).toBe(false);
    }
  });
});
