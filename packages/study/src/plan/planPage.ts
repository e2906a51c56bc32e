// A plan as one page that needs nothing but itself, in the style of a run's report: its figures, the bandwidths that it
// asks for, and the utilisation over bandwidth as a curve.

import { formatBytes, formatSeconds } from "@atoll/core";
import { formatCount, formatPercent } from "../format.ts";
import { linearAxis, logAxis } from "../report/figure/axis.ts";
import { figure } from "../report/figure/figure.ts";
import { linePanel, type PointSeries, panelBox } from "../report/figure/linePanel.ts";
import { html, jsonScript, type Markup } from "../report/html.ts";
import { page } from "../report/page.ts";
import { emptyState, facts, table } from "../report/table.ts";
import { formatBitRate, formatRequired, formatTcpLimit, groupAlike, type PlanRecord } from "./planText.ts";

/** Id of the texts that the cursor shows. */
const TIPS = "curve-tips";

/** Makes the page as a complete HTML document. Pure: the same plan gives the same page. */
export function renderPlan(record: PlanRecord): string {
  const sections = [title(record), bandwidthSection(record), exchangeSection(record)];
  return page(`Plan: ${record.strategy}`, sections, "a plan: no training was done");
}

function title({ strategy, options, plan, network, notes }: PlanRecord): Markup {
  const { nodes, parameters, layers, stepSeconds, schedule, maxSteps } = options;
  return html`<header>
<p class="kind">Atoll · plan of a run</p>
<h1 class="name">${strategy}</h1>
${notes.map((note) => html`<p class="note">${note}</p>\n`)}
${facts([
  ["Nodes", formatCount(nodes)],
  ["Parameters", formatCount(parameters)],
  ["Layers", formatCount(layers)],
  ["Step", `${formatSeconds(stepSeconds)} of computing`],
  ["Sends", schedule === "layers" ? "a layer when its backward pass ends" : "after the whole step"],
  ["Network", network],
])}
<ul class="headline">
${headlineItem("compute utilisation", formatPercent(plan.utilization), "in the long run")}
${headlineItem("time of a step", formatSeconds(plan.secondsPerStep), "in the long run")}
${headlineItem("time", formatSeconds(plan.totalSeconds), `${formatCount(maxSteps)} steps`)}
${headlineItem("a node sends", formatBytes(plan.bytesPerStep), "a step")}
${headlineItem("a node sends", formatBytes(plan.totalBytes), "in all")}
</ul>
</header>`;
}

const headlineItem = (label: string, value: string, detail: string): Markup =>
  html`<li><span class="label">${label}</span><span class="value">${value}</span><span class="detail">${detail}</span></li>\n`;

function bandwidthSection(record: PlanRecord): Markup {
  const { plan, options } = record;
  if (options.nodes === 1)
    return html`<section id="bandwidth"><h2>Bandwidth</h2>${emptyState("One node alone sends nothing and needs no network.")}</section>`;
  const rows = plan.requiredBandwidth.map((required) => [
    formatPercent(required.utilization, 0),
    formatRequired(required),
    formatTcpLimit(required),
  ]);
  const caption =
    "Bandwidth of every link, each way, that a compute utilisation needs, if nothing else limits a transfer.";
  return html`<section id="bandwidth"><h2>Bandwidth</h2>
<div class="beside">${figure({
    name: "utilisation",
    title: "Compute utilisation over bandwidth",
    legend: [
      { mark: { kind: "line", series: "training" }, label: "compute utilisation" },
      { mark: { kind: "diamond", series: "global" }, label: "required bandwidth" },
    ],
    panels: [curvePanel(record)],
    caption:
      "Compute utilisation over the bandwidth of every link, on a logarithmic axis. Latency and topology are those of the network.",
  })}
<div>${table({
    name: "required-bandwidth",
    caption,
    columns: [{ label: "Utilisation", numeric: true }, { label: "Bandwidth", numeric: true }, { label: "" }],
    rows,
  })}</div></div>
${jsonScript(TIPS, plan.curve.map(tip))}
</section>`;
}

const tip = ({ gbitPerSecond, utilization }: PlanRecord["plan"]["curve"][number]): string =>
  `${formatBitRate(gbitPerSecond)}\nutilisation ${formatPercent(utilization)}`;

function curvePanel({ plan }: PlanRecord): Markup {
  const x = plan.curve.map(({ gbitPerSecond }) => gbitPerSecond);
  const y = plan.curve.map(({ utilization }) => 100 * utilization);
  const known = plan.requiredBandwidth.flatMap(({ utilization, gbitPerSecond }) =>
    gbitPerSecond === null ? [] : [{ utilization, gbitPerSecond }],
  );
  const marks: PointSeries = {
    kind: "global",
    shape: "diamond",
    x: known.map(({ gbitPerSecond }) => gbitPerSecond),
    y: known.map(({ utilization }) => 100 * utilization),
    tips: known.map(tip),
  };
  return linePanel({
    title: "Compute utilisation over bandwidth",
    className: "linear",
    box: panelBox,
    xAxis: logAxis({
      domain: [x[0]!, x.at(-1)!],
      range: [panelBox.left, panelBox.right],
      label: "bandwidth (Gbit/s)",
    }),
    yAxis: linearAxis({
      domain: [0, 100],
      range: [panelBox.bottom, panelBox.top + 8],
      label: "compute utilisation (%)",
    }),
    lines: [{ kind: "training", x, y }],
    points: [marks],
    gaps: [],
    hover: { tips: TIPS, x, y },
    positiveOnly: false,
  });
}

function exchangeSection({ plan }: PlanRecord): Markup {
  const heading = html`<h2>Exchanges</h2>`;
  if (plan.exchanges.length === 0)
    return html`<section id="exchanges">${heading}${emptyState("Nothing is exchanged.")}</section>`;
  const rows = groupAlike(plan.exchanges).map((row) => [
    row.times === 1 ? row.operation : `${row.operation} × ${row.times}`,
    formatCount(row.everySteps),
    formatBytes(row.bytesPerNode),
    formatSeconds(row.seconds),
  ]);
  const columns = [
    { label: "Exchange" },
    ...["Every … steps", "A node sends", "Takes"].map((label) => ({ label, numeric: true })),
  ];
  return html`<section id="exchanges">${heading}${table({ name: "exchanges", caption: "What the strategy exchanges, and how long each takes by itself on the given network.", columns, rows })}</section>`;
}
