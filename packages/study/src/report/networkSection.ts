// The network: that of processes in words, a simulated one drawn where it is small enough, as a table of its links, or in quantiles.

import { formatSeconds, type TopologyDrawn } from "@atoll/core";
import { formatCount, formatPercent, formatRate } from "../format.ts";
import { rebuildNetwork } from "../rebuiltNetwork.ts";
import { hasRealNetwork, isList, networkWords, treeOf } from "../run.ts";
import { capacityNotes } from "./capacityNotes.ts";
import { figure } from "./figure/figure.ts";
import type { NetworkShape } from "./figure/layout.ts";
import { type Link, linkName, networkGraph } from "./figure/networkGraph.ts";
import { networkOutline } from "./figure/networkOutline.ts";
import { type Content, html, type Markup } from "./html.ts";
import { keyed, type ReportedRun, shortLabel } from "./reportedRun.ts";
import { section } from "./section.ts";
import { type Cell, emptyState, quantity, table } from "./table.ts";
import { tcpNote } from "./tcpNote.ts";

/** Above this, the lines of a drawing cannot be told apart. */
const MOST_DRAWN = 24;
/** Longer tables of links are folded away. */
const LONG_TABLE = 12;
/** Networks that are drawn, where runs differ in them. */
const MOST_NETWORKS = 6;
/** Runs that are named at a network. */
const MOST_NAMES = 4;

export function networkSection(runs: readonly ReportedRun[]): Markup {
  const networks = [...Map.groupBy(runs, networkKey).values()];
  const body =
    networks.length === 1
      ? networkOf(networks[0]![0]!)
      : [
          networks
            .slice(0, MOST_NETWORKS)
            .map((same) => html`<div class="part"><h3>${namesOf(same)}</h3>\n${networkOf(same[0]!)}</div>\n`),
          networks.length > MOST_NETWORKS
            ? emptyState(
                `${formatCount(networks.length - MOST_NETWORKS)} more networks are not drawn. Ask for a report of fewer runs to see them here.`,
              )
            : null,
        ];
  return section("network", "Network", body);
}

/** Runs that differ in it have other links, or links that change in another way. */
const networkKey = (run: ReportedRun): string =>
  JSON.stringify([run.topology, run.settings.network ?? null, hasRealNetwork(run)]);

function namesOf(runs: readonly ReportedRun[]): string {
  const names = runs.slice(0, MOST_NAMES).map(({ label }) => shortLabel(label));
  const left = runs.length - names.length;
  return left > 0 ? `${names.join(", ")} and ${formatCount(left)} more` : names.join(", ");
}

function networkOf(run: ReportedRun): Content {
  const { topology, settings } = run;
  if (topology === null) return emptyState("The run recorded no network.");
  if (hasRealNetwork(run))
    return html`<p>Real: ${formatCount(topology.nodes)} ${topology.nodes === 1 ? "process" : "processes"} and their own sockets, with nothing held back. The topology, ${topology.topology.replaceAll("_", " ")}, said who sends to whom; how fast the network was shows in what the run took.</p>`;
  const network = treeOf(settings.network);
  // Processes have the TCP of their machines.
  const tcp = run.started?.config.mode === "processes" ? null : tcpNote(network);
  return bodyOf(run, topology, [tcp, capacityNotes(network)]);
}

/** @param notes on what limits transfers, and what changes over time */
function bodyOf(run: ReportedRun, topology: TopologyDrawn, notes: Content): Content {
  const { nodes, links } = topology;
  const { shape, profile } = networkWords(run, topology);
  const title = html`<p>${capitalised(shape)}, ${formatCount(nodes)} ${nodes === 1 ? "node" : "nodes"}: profile ${profile}.</p>`;
  if (nodes === 1) return [title, emptyState("A single node has nobody to send to.")];
  if (nodes > MOST_DRAWN || links.length === 0) return [title, notes, outlineOf(run, topology)];
  return [
    title,
    notes,
    html`<div class="beside">${figure({
      name: keyed("network", run),
      title: `The network of ${run.name}`,
      panels: [networkGraph(shapeOf(run, topology), links)],
      caption: "Line width shows bandwidth on a logarithmic scale, from the slowest link to the fastest.",
    })}
<div>${links.length > LONG_TABLE ? quantileTable(run, links) : linkTable(run, links)}</div></div>`,
    links.length > LONG_TABLE ? linkTable(run, links) : null,
  ];
}

function shapeOf({ settings }: ReportedRun, { topology, nodes }: TopologyDrawn): NetworkShape {
  const { islandSize, dimensions } = treeOf(settings.network);
  return {
    name: topology,
    nodes,
    islandSize: typeof islandSize === "number" ? islandSize : null,
    dimensions: dimensions !== undefined && isList(dimensions) ? dimensions.map(Number) : null,
  };
}

/** Many nodes in outline, beside what their links are like. */
function outlineOf(run: ReportedRun, topology: TopologyDrawn): Content {
  const recorded = topology.links;
  const drawn = recorded.length > 0 ? null : linksAgain(run);
  const all = recorded.length > 0 ? recorded : (drawn?.links ?? []);
  const isMesh = topology.topology === "fully_connected" || topology.topology === "islands";
  const lines = isMesh || all.length > MOST_LINES || drawn?.isSample ? null : all;
  if (all.length === 0 && !isMesh)
    return emptyState(
      "The links are not listed: runs record them up to 64 nodes. The config and the seed determine them.",
    );
  const rest = drawn === null ? recorded.length : drawn.count;
  return html`<div class="beside">${figure({
    name: keyed("network", run),
    title: `The network of ${run.name} in outline`,
    panels: [networkOutline(shapeOf(run, topology), lines)],
    caption: [
      `${formatCount(topology.nodes)} nodes in outline${topology.topology === "torus" ? ", without the links that close rows and columns" : ""}. `,
      drawn === null || all.length === 0
        ? null
        : `Runs record their links up to 64 nodes; these are drawn again from the config and the seed${drawn.isSample ? `, ${formatCount(all.length)} of ${formatCount(rest)}` : ""}. `,
    ],
  })}
<div>${all.length === 0 ? emptyState("The links are not listed.") : quantileTable(run, all)}</div></div>
${recorded.length === 0 ? null : linkTable(run, recorded)}`;
}

/** Lines of an outline. */
const MOST_LINES = 3000;
/** Links that are drawn again for their distribution, where there are more. */
const MOST_DRAWN_AGAIN = 4000;

/** Links that were not recorded; of a mesh of many nodes, those between pairs at equal distances. */
function linksAgain(
  run: ReportedRun,
): { readonly links: readonly Link[]; readonly count: number; readonly isSample: boolean } | null {
  const network = rebuildNetwork(run);
  if (network === null) return null;
  const { topology } = network;
  const { worldSize } = topology;
  const isMesh = topology.name === "fully_connected" || topology.name === "islands";
  if (!isMesh) {
    const links = Array.from(topology.links());
    return { links, count: links.length, isSample: false };
  }
  const count = (worldSize * (worldSize - 1)) / 2;
  const stride = Math.max(1, Math.ceil(count / MOST_DRAWN_AGAIN));
  const links: Link[] = [];
  let number = 0;
  for (let source = 0; source < worldSize; source++)
    for (let target = source + 1; target < worldSize; target++)
      if (number++ % stride === 0) links.push(topology.link(source, target)!);
  return { links, count, isSample: stride > 1 };
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function quantileTable(run: ReportedRun, links: readonly Link[]): Markup {
  const spread = [0, 0.25, 0.5, 0.75, 1];
  const row = (name: string, of: (link: Link) => number, format: (value: number) => string): Cell[] => {
    // By hand: interpolating towards an unlimited bandwidth would give NaN.
    const values = links.map(of).sort((a, b) => a - b);
    return [name, ...spread.map((p) => quantity(values[Math.round(p * (values.length - 1))]!, format))];
  };
  const columns = ["Least", "25 %", "Median", "75 %", "Most"].map((label) => ({ label, numeric: true }));
  return table({
    name: keyed("link-distribution", run),
    caption: `Distribution over ${formatCount(links.length)} links.`,
    columns: [{ label: "Property" }, ...columns],
    rows: [
      row("bandwidth", ({ bandwidth }) => bandwidth, formatRate),
      row("latency, one way", ({ latency }) => latency, formatSeconds),
      row(
        "jitter",
        ({ jitter }) => jitter,
        (value) => formatPercent(value, 1),
      ),
      row(
        "packet loss",
        ({ loss }) => loss,
        (value) => formatPercent(value, 3),
      ),
    ],
  });
}

function linkTable(run: ReportedRun, links: readonly Link[]): Markup {
  const columns = [
    { label: "Link" },
    { label: "Bandwidth", numeric: true, unit: "B/s" },
    { label: "Latency", numeric: true, unit: "s" },
    ...["Jitter", "Loss"].map((label) => ({ label, numeric: true })),
  ];
  const rows = links.map((link) => [
    linkName(link, links),
    quantity(link.bandwidth, formatRate),
    quantity(link.latency, formatSeconds),
    quantity(link.jitter, (part) => formatPercent(part, 1)),
    quantity(link.loss, (part) => formatPercent(part, 3)),
  ]);
  const whole = table({
    name: keyed("links", run),
    caption: "Links. Bandwidth in bytes per second, each way; latency one way.",
    columns,
    rows,
  });
  if (links.length <= LONG_TABLE) return whole;
  return html`<details><summary>All ${formatCount(links.length)} links</summary>${whole}</details>`;
}
