// The topology as a drawing: nodes on a circle, a line for each pair that a link joins, thicker for more bandwidth.

import { formatSeconds, type TopologyDrawn } from "@atoll/core";
import { formatCount, formatPercent, formatRate } from "../../format.ts";
import { type Content, html, type Markup } from "../html.ts";
import { circleLayout, hubOf, type Place } from "./layout.ts";
import { drawing, pixel } from "./plot.ts";

export type Link = TopologyDrawn["links"][number];

const SIZE = { width: 460, height: 400 } as const;
const RADIUS = 160;
/** Up to this many lines have their figures written beside them. */
const MOST_LABELS = 6;

export function linkTip({ source, target, bandwidth, latency, jitter, loss }: Link): string {
  return `${source} → ${target}: ${formatRate(bandwidth)}, latency ${formatSeconds(latency)}, jitter ${formatPercent(jitter, 1)}, loss ${formatPercent(loss, 3)}`;
}

export function networkGraph({ nodes, links }: TopologyDrawn): Markup {
  const pairs = pairLinks(links);
  const places = circleLayout(nodes, hubOf(nodes, links)).map(({ x, y }) => ({
    x: SIZE.width / 2 + RADIUS * x,
    y: SIZE.height / 2 + RADIUS * y,
  }));
  const width = widthOf(links);
  const lines = pairs.map((pair) => edge(pair, places, width));
  const labels = pairs.length <= MOST_LABELS ? pairs.map((pair) => edgeLabel(pair, places)) : null;
  const size = nodes <= 12 ? 15 : 11;
  const dots = places.map(
    ({ x, y }, rank) =>
      html`<g class="node"><circle cx="${pixel(x)}" cy="${pixel(y)}" r="${size}"/><text x="${pixel(x)}" y="${pixel(y + 4)}" text-anchor="middle">${rank}</text><title>${nodeTip(rank, links)}</title></g>\n`,
  );
  return drawing(SIZE, `Network of ${nodes} nodes`, html`class="network"`, [lines, labels, dots]);
}

/** Links that join the same two nodes, in either direction, are one line. */
function pairLinks(links: readonly Link[]): readonly (readonly Link[])[] {
  const pairs = new Map<string, Link[]>();
  for (const link of links) {
    const key = [link.source, link.target].sort((a, b) => a - b).join(" ");
    const pair = pairs.get(key);
    if (pair) pair.push(link);
    else pairs.set(key, [link]);
  }
  return [...pairs.values()];
}

/** From 1 to 5 units, on the logarithm of the bandwidth; all alike where there is nothing to tell apart. */
function widthOf(links: readonly Link[]): (pair: readonly Link[]) => number {
  const logs = links.map(({ bandwidth }) => Math.log(bandwidth)).filter(Number.isFinite);
  const low = Math.min(...logs);
  const high = Math.max(...logs);
  return (pair) => {
    const slowest = Math.log(Math.min(...pair.map(({ bandwidth }) => bandwidth)));
    if (!Number.isFinite(slowest)) return 5;
    return high > low ? pixel(1 + (4 * (slowest - low)) / (high - low)) : 2;
  };
}

function edge(
  pair: readonly Link[],
  places: readonly Place[],
  width: (pair: readonly Link[]) => number,
): Content {
  const from = places[pair[0]!.source];
  const to = places[pair[0]!.target];
  if (!from || !to) return null;
  const d = `M${pixel(from.x)} ${pixel(from.y)}L${pixel(to.x)} ${pixel(to.y)}`;
  // A thin line is hard to point at, so an invisible wide one lies over it.
  return html`<g class="link"><path d="${d}" stroke-width="${width(pair)}"/><path class="target" d="${d}"/><title>${pair.map(linkTip).join("\n")}</title></g>\n`;
}

/** The slower direction's bandwidth and latency, beside the line's middle. */
function edgeLabel(pair: readonly Link[], places: readonly Place[]): Content {
  const from = places[pair[0]!.source];
  const to = places[pair[0]!.target];
  if (!from || !to) return null;
  const slowest = pair.reduce((a, b) => (b.bandwidth < a.bandwidth ? b : a));
  const x = pixel((from.x + to.x) / 2);
  const y = pixel((from.y + to.y) / 2);
  return html`<text class="halo" x="${x}" y="${y - 3}" text-anchor="middle">${formatRate(slowest.bandwidth)}</text><text class="halo" x="${x}" y="${y + 11}" text-anchor="middle">${formatSeconds(slowest.latency)}</text>`;
}

function nodeTip(rank: number, links: readonly Link[]): string {
  const out = links.filter(({ source }) => source === rank).length;
  const into = links.filter(({ target }) => target === rank).length;
  return `node ${rank}: ${formatCount(out)} links out, ${formatCount(into)} in`;
}
