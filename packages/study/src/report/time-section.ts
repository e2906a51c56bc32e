// Where the simulated time of each node went: compute, communication, waiting.

import { formatSeconds, type NodeTime } from "@atoll/core";
import { mean, quantile } from "d3-array";
import { formatCount, formatPercent } from "../format.ts";
import type { Run } from "../run.ts";
import { legend } from "./figure/legend.ts";
import { timeBars, timeKinds, totalOf } from "./figure/time-bars.ts";
import { timeProfile } from "./figure/time-profile.ts";
import { type Content, html, jsonScript, type Markup } from "./html.ts";
import { emptyState, table } from "./table.ts";

/** Above this, a bar a node is a page of bars, and a profile says more. */
const MOST_BARS = 24;

export function timeSection(run: Run): Markup {
  const nodes = run.finished?.nodes ?? [];
  const body =
    nodes.length === 0 || nodes.every((node) => totalOf(node) === 0)
      ? emptyState("The run recorded no node times: they are written when a run ends.")
      : [figure(nodes), splitTable(nodes)];
  return html`<section id="time"><h2>Time</h2>${body}</section>`;
}

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
  return html`<figure>${key}${profile.drawing}<figcaption>Simulated time of ${formatCount(nodes.length)} nodes, sorted by compute time${drawn}. ${meaning}</figcaption></figure>
${jsonScript("time-tips", profile.tips)}`;
}

function splitTable(nodes: readonly NodeTime[]): Markup {
  const total = nodes.reduce((sum, node) => sum + totalOf(node), 0);
  const spread = [0, 0.05, 0.5, 0.95, 1];
  const several = nodes.length > 1;
  const rows = timeKinds.map((kind) => {
    const values = nodes.map((node) => node[kind]);
    const average = mean(values) ?? 0;
    return [
      kind,
      formatPercent((average * nodes.length) / total, 1),
      formatSeconds(average),
      ...(several ? spread.map((p) => formatSeconds(quantile(values, p) ?? 0)) : []),
    ];
  });
  const numeric = (label: string) => ({ label, numeric: true });
  const columns = [
    { label: "Kind" },
    numeric("Share"),
    numeric(several ? "Mean" : "Time"),
    ...(several ? ["Least", "5 %", "Median", "95 %", "Most"].map(numeric) : []),
  ];
  return table(
    several ? "Simulated time a node, over all nodes." : "Simulated time of the node.",
    columns,
    rows,
  );
}
