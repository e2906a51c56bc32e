// The topology as a drawing: its nodes, and a line for each pair that a link joins, thicker for more bandwidth.

import { formatSeconds, type TopologyDrawn } from "@atoll/core";
import { extent } from "d3-array";
import { formatCount, formatPercent, formatRate } from "../../format.ts";
import { type Content, html, type Markup } from "../html.ts";
import { type NetworkShape, type Place, placesOf } from "./layout.ts";
import { drawing, pixel } from "./plot.ts";

export type Link = TopologyDrawn["links"][number];

const RADIUS = 160;
/** Room around the outermost nodes, for their circles and the labels of links. */
const MARGIN = 40;
const SIDE = 70;
/** Up to this many lines have their figures written beside them, unless lines cross (there are more than nodes). */
const MOST_LABELS = 6;

/** "0 ↔ 1" for a duplex line, which a run lists once; "0 → 1" where it lists both directions. */
export function linkName({ source, target }: Link, links: readonly Link[]): string {
  const duplex = !links.some((other) => other.source === target && other.target === source);
  return `${source} ${duplex ? "↔" : "→"} ${target}`;
}

function linkTip(link: Link, links: readonly Link[]): string {
  const { bandwidth, latency, jitter, loss } = link;
  return `${linkName(link, links)}: ${formatRate(bandwidth)}, latency ${formatSeconds(latency)}, jitter ${formatPercent(jitter, 1)}, loss ${formatPercent(loss, 3)}`;
}

export function networkGraph(shape: NetworkShape, links: readonly Link[]): Markup {
  const { nodes } = shape;
  const pairs = pairLinks(links);
  const unit = placesOf(shape, links);
  const [top = 0, bottom = 0] = extent(unit, ({ y }) => y);
  const size = { width: 2 * (RADIUS + SIDE), height: pixel((bottom - top) * RADIUS + 2 * MARGIN) };
  const places = unit.map(({ x, y }) => ({ x: size.width / 2 + RADIUS * x, y: MARGIN + RADIUS * (y - top) }));
  const centre = { x: size.width / 2, y: MARGIN - RADIUS * top };
  const crowded = pairs.length > CROWDED;
  const width = widthOf(links, crowded ? 2.5 : 5);
  const closing = closingLinks(shape);
  const lines = pairs.map((pair) => edge(pair, places, width, closing(pair[0]!)));
  const labels =
    pairs.length <= Math.min(MOST_LABELS, nodes)
      ? pairs.map((pair) => edgeLabel(pair, places, centre))
      : null;
  const radius = nodes <= 12 ? 15 : 11;
  const dots = places.map(
    ({ x, y }, rank) =>
      html`<g class="node"><circle cx="${pixel(x)}" cy="${pixel(y)}" r="${radius}"/><text x="${pixel(x)}" y="${pixel(y + 4)}" text-anchor="middle">${rank}</text><title>${nodeTip(rank, links)}</title></g>\n`,
  );
  return drawing(
    size,
    `Network of ${nodes} nodes`,
    html`class="${crowded ? "network crowded" : "network"}"`,
    [lines, labels, dots],
  );
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

/** Above this many, lines are drawn thinner and paler, or they would be one dark patch. */
const CROWDED = 40;

/** From thinnest to thickest on the logarithm of the bandwidth; all alike where there is nothing to tell apart. */
function widthOf(links: readonly Link[], thickest: number): (pair: readonly Link[]) => number {
  const logs = links.map(({ bandwidth }) => Math.log(bandwidth)).filter(Number.isFinite);
  const low = Math.min(...logs);
  const high = Math.max(...logs);
  return (pair) => {
    const slowest = Math.log(Math.min(...pair.map(({ bandwidth }) => bandwidth)));
    if (!Number.isFinite(slowest)) return thickest;
    return high > low ? pixel(thickest * (0.2 + (0.8 * (slowest - low)) / (high - low))) : thickest / 2;
  };
}

function edge(
  pair: readonly Link[],
  places: readonly Place[],
  width: (pair: readonly Link[]) => number,
  isCurved: boolean,
): Content {
  const from = places[pair[0]!.source];
  const to = places[pair[0]!.target];
  if (!from || !to) return null;
  const d = isCurved ? curve(from, to) : `M${pixel(from.x)} ${pixel(from.y)}L${pixel(to.x)} ${pixel(to.y)}`;
  // A thin line is hard to point at, so an invisible wide one lies over it.
  return html`<g class="link"><path d="${d}" stroke-width="${width(pair)}"/><path class="target" d="${d}"/><title>${pair.map((link) => linkTip(link, pair)).join("\n")}</title></g>\n`;
}

/** Bends aside of the nodes that lie on the straight line. */
function curve(from: Place, to: Place): string {
  const bend = 0.16;
  const x = (from.x + to.x) / 2 + bend * (to.y - from.y);
  const y = (from.y + to.y) / 2 - bend * (to.x - from.x);
  return `M${pixel(from.x)} ${pixel(from.y)}Q${pixel(x)} ${pixel(y)} ${pixel(to.x)} ${pixel(to.y)}`;
}

/** Whether a link closes a row or column of a torus, and so runs past the nodes of that. */
export function closingLinks({
  name,
  dimensions,
}: NetworkShape): (link: Pick<Link, "source" | "target">) => boolean {
  if (name !== "torus" || dimensions?.length !== 2) return () => false;
  const columns = dimensions[1]!;
  return ({ source, target }) => {
    const distance = Math.abs(source - target);
    return distance !== 1 && distance !== columns;
  };
}

/** From a line to its label: beside it, and above or below, where two rows of text have to find room. */
const ASIDE = 10;
const APART = 22;

/** The slower direction's bandwidth and latency, beside the line's middle, on the side away from the drawing's centre. */
function edgeLabel(pair: readonly Link[], places: readonly Place[], centre: Place): Content {
  const from = places[pair[0]!.source];
  const to = places[pair[0]!.target];
  if (!from || !to) return null;
  const slowest = pair.reduce((a, b) => (b.bandwidth < a.bandwidth ? b : a));
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const normal = { x: (from.y - to.y) / length, y: (to.x - from.x) / length };
  const outward = normal.x * (middle.x - centre.x) + normal.y * (middle.y - centre.y) >= 0 ? 1 : -1;
  const side = outward * normal.x;
  const anchor = Math.abs(side) < 0.3 ? "middle" : side > 0 ? "start" : "end";
  const x = pixel(middle.x + ASIDE * side);
  const y = middle.y + APART * outward * normal.y;
  return html`<text class="link-label" text-anchor="${anchor}" x="${x}" y="${pixel(y - 3)}">${formatRate(slowest.bandwidth)}<tspan x="${x}" dy="14">${formatSeconds(slowest.latency)}</tspan></text>
`;
}

function nodeTip(rank: number, links: readonly Link[]): string {
  const partners = links.flatMap(({ source, target }) =>
    source === rank ? [target] : target === rank ? [source] : [],
  );
  const count = new Set(partners).size;
  return `node ${rank}: linked to ${formatCount(count)} ${count === 1 ? "node" : "nodes"}`;
}
