// Where the simulated time of each node went: compute, communication, waiting.

import { formatSeconds, type NodeTime } from "@atoll/core";
import { mean, quantile, sum } from "d3-array";
import { formatCount, formatPercent } from "../format.ts";
import { isWhatIf, type Run } from "../run.ts";
import { legend } from "./figure/legend.ts";
import { type TimeKind, timeBars, timeKinds, totalOf } from "./figure/timeBars.ts";
import { timeProfile } from "./figure/timeProfile.ts";
import { type Content, html, jsonScript, type Markup } from "./html.ts";
import { emptyState, table } from "./table.ts";

/** Above this, a bar a node is a page of bars, and a profile says more. */
const MOST_BARS = 24;
/** Longer tables are folded away. */
const SHORT_TABLE = 8;

export function timeSection(run: Run): Markup {
  const nodes = run.finished?.nodes ?? [];
  const body =
    nodes.length === 0 || nodes.every((node) => totalOf(node) === 0)
      ? emptyState("The run recorded no node times: they are written when a run ends.")
      : [figure(nodes), nodes.length <= MOST_BARS ? nodeTable(nodes) : spreadTable(nodes)];
  return html`<section id="time"><h2>Time</h2>${whatIf(run)}${body}</section>`;
}

/** Times that rest on a supposition have to say so. */
const whatIf = ({ settings }: Run): Content =>
  isWhatIf(settings.strategy)
    ? html`<p class="note">What-if: gradients are supposed to be sent in buckets while the backward pass, two thirds of a step’s compute time, still runs. The program makes them all at once, so do not compare these times with real processes.</p>`
    : null;

function figure(nodes: readonly NodeTime[]): Content {
  const key = legend(timeKinds.map((kind) => ({ mark: { kind: "area", className: kind }, label: kind })));
  const meaning =
    "Communication counts from the moment all partners of a transfer were ready; the time until then is waiting.";
  if (nodes.length <= MOST_BARS)
    return html`<figure>${key}${timeBars(nodes)}<figcaption>Simulated time of each node. ${meaning}</figcaption></figure>`;
  const profile = timeProfile(nodes, "time-tips");
  const drawn =
    profile.columns < nodes.length
      ? `, of which ${formatCount(profile.columns)} at equal distances in this order are drawn`
      : "";
  return html`<figure>${key}${profile.drawing}<figcaption>Simulated time of ${formatCount(nodes.length)} nodes, in the order of their busy time, which is compute and communication${drawn}. ${meaning}</figcaption></figure>
${jsonScript("time-tips", profile.tips)}`;
}

const numeric = (label: string) => ({ label, numeric: true });

/** Every node's times, where there are few. */
function nodeTable(nodes: readonly NodeTime[]): Markup {
  const rows = nodes.map((node, rank) => [
    `node ${rank}`,
    ...timeKinds.map((kind) => formatSeconds(node[kind])),
    formatSeconds(totalOf(node)),
  ]);
  const shares = timeKinds.map((kind) => formatPercent(shareOf(nodes, kind), 1));
  const whole = table(
    "Simulated time of each node.",
    [{ label: "Node" }, ...["Compute", "Communication", "Waiting", "Total"].map(numeric)],
    [...rows, ["share of the total", ...shares, ""]],
  );
  if (nodes.length <= SHORT_TABLE) return whole;
  return html`<details><summary>The times of all ${nodes.length} nodes</summary>${whole}</details>`;
}

/** How the times are spread over the nodes, where there are many. */
function spreadTable(nodes: readonly NodeTime[]): Markup {
  const spread = [0, 0.05, 0.5, 0.95, 1];
  const rows = timeKinds.map((kind) => {
    const values = nodes.map((node) => node[kind]);
    return [
      kind,
      formatPercent(shareOf(nodes, kind), 1),
      formatSeconds(mean(values) ?? 0),
      ...spread.map((p) => formatSeconds(quantile(values, p) ?? 0)),
    ];
  });
  return table(
    "Simulated time a node, over all nodes.",
    [{ label: "Kind" }, ...["Share", "Mean", "Least", "5 %", "Median", "95 %", "Most"].map(numeric)],
    rows,
  );
}

const shareOf = (nodes: readonly NodeTime[], kind: TimeKind): number =>
  sum(nodes, (node) => node[kind]) / sum(nodes, totalOf);
