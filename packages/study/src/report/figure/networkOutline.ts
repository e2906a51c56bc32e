// The topology of many nodes as an outline: dots and hair lines where they can be told apart, and named shapes where they cannot
// (an island, a level of a tree). What single links are like is left to the tables.

import { formatCount } from "../../format.ts";
import { type Content, html, type Markup } from "../html.ts";
import { circleLayout, type NetworkShape, type Place, placesOf } from "./layout.ts";
import { closingLinks } from "./networkGraph.ts";
import { drawing, pixel } from "./plot.ts";

/** Ends of the links to draw; null where there are too many to see any. */
export type OutlineLinks = readonly { readonly source: number; readonly target: number }[] | null;

const WIDTH = 460;
const RADIUS = 190;
const MARGIN = 26;
/** Islands that have a shape each. */
const MOST_ISLANDS = 40;
/** Dots closer than this many pixels cannot be told apart. */
const LEAST_PITCH = 5;

export function networkOutline(shape: NetworkShape, links: OutlineLinks): Markup {
  const { name, nodes, islandSize } = shape;
  const islands = islandSize === null ? 0 : Math.ceil(nodes / islandSize);
  const content = (): Content => {
    if (name === "islands" && islands > 1 && islands <= MOST_ISLANDS) return islandShapes(shape, islands);
    if (name === "tree" && nodes > RADIUS) return treeLevels(nodes);
    return dotsAndLines(shape, links);
  };
  const isWide = name === "torus" && shape.dimensions?.length === 2;
  const size = { width: WIDTH, height: isWide ? gridHeight(shape.dimensions!) : 2 * (RADIUS + MARGIN) };
  return drawing(size, `Network of ${formatCount(nodes)} nodes`, html`class="network outline"`, content());
}

/** A grid that is wider than high needs less room. */
const gridHeight = ([rows = 1, columns = 1]: readonly number[]): number =>
  rows >= columns ? 2 * (RADIUS + MARGIN) : pixel((2 * RADIUS * (rows - 1)) / (columns - 1) + 2 * MARGIN);

const placed = ({ x, y }: Place): Place => ({ x: WIDTH / 2 + RADIUS * x, y: RADIUS + MARGIN + RADIUS * y });

function dotsAndLines(shape: NetworkShape, links: OutlineLinks): Content {
  const unit = placesOf(shape, links ?? []);
  const top = Math.min(...unit.map(({ y }) => y));
  const places = unit.map(({ x, y }) => placed({ x, y: y - (shape.name === "torus" ? top + 1 : 0) }));
  const isClosing = closingLinks(shape);
  const pitch = nearestPitch(places);
  const radius = Math.max(0.8, Math.min(5, pitch / 2.6));
  const d = (links ?? [])
    .filter((link) => !isClosing(link))
    .map(({ source, target }) => {
      const [from, to] = [places[source]!, places[target]!];
      return `M${pixel(from.x)} ${pixel(from.y)}L${pixel(to.x)} ${pixel(to.y)}`;
    })
    .join("");
  const dots = places.map(({ x, y }) => `M${pixel(x)} ${pixel(y)}h0`).join("");
  const lines =
    d === "" ? null : html`<path class="hairs" opacity="${opacityOf(shape, links!.length)}" d="${d}"/>`;
  return [
    lines,
    html`<path class="dots" stroke-width="${pixel(2 * radius)}" d="${dots}"/>`,
    middleNote(shape, links),
  ];
}

/** Of nodes with neighbouring ranks, which stand next to each other on a circle and on a grid; the first may be a hub. */
const nearestPitch = (places: readonly Place[]): number =>
  Math.min(...places.slice(1).map(({ x, y }, i) => Math.hypot(x - places[i]!.x, y - places[i]!.y)));

/** Many lines are paler, or they would be one dark patch. */
const opacityOf = ({ name, nodes }: NetworkShape, lines: number): number =>
  name !== "star" && lines <= 3 * nodes ? 0.6 : Math.round(100 * Math.min(0.6, 60 / lines)) / 100;

function middleNote({ nodes }: NetworkShape, links: OutlineLinks): Content {
  if (links !== null) return null;
  const count = (nodes * (nodes - 1)) / 2;
  return html`<text x="${WIDTH / 2}" y="${RADIUS + MARGIN}" text-anchor="middle">every two nodes share a link<tspan x="${WIDTH / 2}" dy="17">${formatCount(count)} links</tspan></text>`;
}

/** A circle an island, as large as its share of the nodes, joined to all others. */
function islandShapes({ nodes, islandSize }: NetworkShape, islands: number): Content {
  const size = islandSize!;
  const membersOf = (island: number): number => Math.min(size, nodes - island * size);
  const radius = RADIUS * Math.min(0.42, 0.62 * Math.sin(Math.PI / islands));
  const centres = circleLayout(islands, null).map(({ x, y }) => ({
    x: WIDTH / 2 + (RADIUS - radius) * x,
    y: RADIUS + MARGIN + (RADIUS - radius) * y,
  }));
  const lines = centres.flatMap((from, i) =>
    centres.slice(i + 1).map((to) => `M${pixel(from.x)} ${pixel(from.y)}L${pixel(to.x)} ${pixel(to.y)}`),
  );
  const named = radius >= 30;
  const shapes = centres.map(({ x, y }, island) => {
    const own = radius * Math.sqrt(membersOf(island) / size);
    const tip = `island ${island}: nodes ${island * size} to ${island * size + membersOf(island) - 1}`;
    const text = named
      ? html`<text x="${pixel(x)}" y="${pixel(y - 3)}" text-anchor="middle">island ${island}<tspan x="${pixel(x)}" dy="15">${formatCount(membersOf(island))} nodes</tspan></text>`
      : html`<text x="${pixel(x)}" y="${pixel(y + 4)}" text-anchor="middle">${island}</text>`;
    return html`<g class="island"><circle cx="${pixel(x)}" cy="${pixel(y)}" r="${pixel(own)}"/>${text}<title>${tip}</title></g>\n`;
  });
  return [html`<path class="hairs" d="${lines.join("")}"/>`, shapes];
}

/** A bar a level, dots where they can be told apart. */
function treeLevels(nodes: number): Content {
  const levels = Math.floor(Math.log2(nodes)) + 1;
  const pitch = (2 * RADIUS) / Math.max(1, levels - 1);
  const widest = 2 * RADIUS - 90;
  return Array.from({ length: levels }, (_, level) => {
    const first = 2 ** level - 1;
    const members = Math.min(2 ** level, nodes - first);
    const width = widest * (members / 2 ** (levels - 1));
    const x = WIDTH / 2 - 45;
    const y = MARGIN + level * pitch;
    const gap = widest / 2 ** (levels - 1);
    const isDotted = gap >= LEAST_PITCH || members <= widest / LEAST_PITCH / 2;
    const spacing = Math.max(width, LEAST_PITCH * members) / members;
    const dots = (): string =>
      Array.from(
        { length: members },
        (_, i) => `M${pixel(x + (i - (members - 1) / 2) * spacing)} ${pixel(y)}h0`,
      ).join("");
    const drawn = isDotted
      ? html`<path class="dots" stroke-width="4" d="${dots()}"/>`
      : html`<path class="dots" stroke-width="7" d="M${pixel(x - width / 2)} ${pixel(y)}h${pixel(width)}"/>`;
    return html`${drawn}<text x="${WIDTH - 4}" y="${pixel(y + 4)}" text-anchor="end">${formatCount(members)} ${members === 1 ? "node" : "nodes"}</text>\n`;
  });
}
