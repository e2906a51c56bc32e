// The simulated network: drawn where it is small enough, as a table of its links, or in quantiles.

import { formatSeconds, type TopologyDrawn } from "@atoll/core";
import { formatCount, formatPercent, formatRate } from "../format.ts";
import { type Run, treeOf } from "../run.ts";
import { capacityNotes } from "./capacityNotes.ts";
import { type Link, linkName, networkGraph } from "./figure/networkGraph.ts";
import { type Content, html, type Markup } from "./html.ts";
import { emptyState, table } from "./table.ts";

/** Above this, the lines of a drawing cannot be told apart. */
const MOST_DRAWN = 24;
/** Longer tables of links are folded away. */
const LONG_TABLE = 12;

export function networkSection({ topology, settings }: Run): Markup {
  return html`<section id="network"><h2>Network</h2>${topology === null ? emptyState("The run recorded no network.") : bodyOf(topology, capacityNotes(treeOf(settings.network)))}</section>`;
}

/** @param notes on what changes over time */
function bodyOf(topology: TopologyDrawn, notes: Content): Content {
  const { nodes, links, topology: shape, profile } = topology;
  const title = html`<p>${capitalised(shape.replaceAll("_", " "))}, ${formatCount(nodes)} ${nodes === 1 ? "node" : "nodes"}, profile ${profile}.</p>`;
  if (nodes === 1) return [title, emptyState("A single node has nobody to send to.")];
  if (links.length === 0)
    return [
      title,
      notes,
      emptyState(
        "The links are not listed: runs record them up to 64 nodes. The config and the seed determine them.",
      ),
    ];
  if (nodes > MOST_DRAWN) return [title, notes, quantileTable(links), linkTable(links)];
  return [
    title,
    notes,
    html`<div class="beside"><figure>${networkGraph(topology)}<figcaption>Line width shows bandwidth on a logarithmic scale, from the slowest link to the fastest.</figcaption></figure>
<div>${links.length > LONG_TABLE ? quantileTable(links) : linkTable(links)}</div></div>`,
    links.length > LONG_TABLE ? linkTable(links) : null,
  ];
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function quantileTable(links: readonly Link[]): Markup {
  const spread = [0, 0.25, 0.5, 0.75, 1];
  const row = (name: string, of: (link: Link) => number, format: (value: number) => string): Content[] => {
    // By hand: interpolating towards an unlimited bandwidth would give NaN.
    const values = links.map(of).sort((a, b) => a - b);
    return [name, ...spread.map((p) => format(values[Math.round(p * (values.length - 1))]!))];
  };
  const columns = ["Least", "25 %", "Median", "75 %", "Most"].map((label) => ({ label, numeric: true }));
  return table(
    `Distribution over ${formatCount(links.length)} links.`,
    [{ label: "Property" }, ...columns],
    [
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
  );
}

function linkTable(links: readonly Link[]): Markup {
  const columns = [
    { label: "Link" },
    ...["Bandwidth", "Latency", "Jitter", "Loss"].map((label) => ({ label, numeric: true })),
  ];
  const rows = links.map((link) => [
    linkName(link, links),
    formatRate(link.bandwidth),
    formatSeconds(link.latency),
    formatPercent(link.jitter, 1),
    formatPercent(link.loss, 3),
  ]);
  const whole = table("Links. Bandwidth in bytes per second, each way; latency one way.", columns, rows);
  if (links.length <= LONG_TABLE) return whole;
  return html`<details><summary>All ${formatCount(links.length)} links</summary>${whole}</details>`;
}
