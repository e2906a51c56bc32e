// Where the time of each node went: compute, communication, waiting.

import { formatSeconds, type NodeTime } from "@atoll/core";
import { mean, quantile, sum } from "d3-array";
import { formatCount, formatPercent } from "../format.ts";
import { isWhatIf, meanNodeTime, type Run, timeNameOfRuns } from "../run.ts";
import { figure } from "./figure/figure.ts";
import type { LegendEntry } from "./figure/legend.ts";
import { type TimeKind, timeBars, timeKinds, totalOf } from "./figure/timeBars.ts";
import { timeProfile } from "./figure/timeProfile.ts";
import { type Content, html, jsonScript, type Markup } from "./html.ts";
import { type ReportedRun, shortLabel } from "./reportedRun.ts";
import { section } from "./section.ts";
import { emptyState, quantity, table } from "./table.ts";

/** Above this, a bar a node is a page of bars, and a profile says more. */
const MOST_BARS = 24;
/** Longer tables are folded away. */
const SHORT_TABLE = 8;

export function timeSection(runs: readonly ReportedRun[]): Markup {
  return section("time", "Time", runs.length === 1 ? timeOfRun(runs[0]!) : timeOfRuns(runs));
}

function timeOfRun(run: Run): Content {
  const nodes = run.finished?.nodes ?? [];
  if (nodes.length === 0 || nodes.every((node) => totalOf(node) === 0))
    return [whatIf(run), emptyState("The run recorded no node times: they are written when a run ends.")];
  return [whatIf(run), nodesFigure(nodes), nodes.length <= MOST_BARS ? nodeTable(nodes) : spreadTable(nodes)];
}

/** A bar and a row a run. */
function timeOfRuns(runs: readonly ReportedRun[]): Content {
  const known = runs.flatMap((run) => {
    const time = meanNodeTime(run);
    return time === null || totalOf(time) === 0 ? [] : [{ run, time }];
  });
  const unknown = runs.length - known.length;
  const missing =
    unknown === 0
      ? null
      : emptyState(
          `${unknown === runs.length ? "No run" : `${formatCount(unknown)} of ${formatCount(runs.length)} runs`} recorded ${unknown === runs.length ? "" : "no "}node times: they are written when a run ends.`,
        );
  if (known.length === 0) return missing;
  const time = timeNameOfRuns(known.map(({ run }) => run));
  const supposed = runs.some(({ settings }) => isWhatIf(settings.strategy))
    ? "Of runs with overlap=what-if, communication is supposed to run beside computing as the program cannot do it. "
    : null;
  return [
    missing,
    figure({
      name: "time-of-runs",
      title: "Time of a node by kind, mean over the nodes of each run",
      legend: timeLegend,
      panels: [timeBars(known.map(({ run, time }) => ({ label: shortLabel(run.label), time })))],
      caption: [`Time of a node (${time}), mean over the nodes of each run. `, supposed, MEANING],
    }),
    table({
      name: "time-of-runs",
      caption: "Time of a node, mean over the nodes of each run, and the part in which it computes.",
      columns: [
        { label: "Run" },
        ...timeKinds.map((kind) => ({ label: kind, numeric: true, unit: "s" })),
        { label: "Total", numeric: true, unit: "s" },
        { label: "Compute", numeric: true },
      ],
      rows: known.map(({ run, time }) => [
        { shown: shortLabel(run.label), value: run.label },
        ...timeKinds.map((kind) => quantity(time[kind], formatSeconds)),
        quantity(totalOf(time), formatSeconds),
        quantity(time.compute / totalOf(time), (share) => formatPercent(share, 1)),
      ]),
    }),
  ];
}

/** Times that rest on a supposition have to say so. */
function whatIf({ settings }: Run): Content {
  if (!isWhatIf(settings.strategy)) return null;
  const others = settings.mode === "processes" ? "times of real steps" : "real processes";
  return html`<p class="note">What-if: gradients are supposed to be sent in buckets while the backward pass, two thirds of a step’s compute time, still runs. The program makes them all at once, so do not compare these times with ${others}.</p>`;
}

const timeLegend: readonly LegendEntry[] = timeKinds.map((kind) => ({
  mark: { kind: "area", className: kind },
  label: kind,
}));

const MEANING =
  "Communication counts from the moment all partners of a transfer were ready; the time until then is waiting.";

function nodesFigure(nodes: readonly NodeTime[]): Content {
  const parts = { name: "time", title: "Time of each node by kind", legend: timeLegend };
  if (nodes.length <= MOST_BARS)
    return figure({
      ...parts,
      panels: [timeBars(nodes.map((time, rank) => ({ label: `node ${rank}`, time })))],
      caption: `Time of each node. ${MEANING}`,
    });
  const profile = timeProfile(nodes, "time-tips");
  const drawn =
    profile.columns < nodes.length
      ? `, of which ${formatCount(profile.columns)} at equal distances in this order are drawn`
      : "";
  return [
    figure({
      ...parts,
      panels: [profile.drawing],
      caption: `Time of ${formatCount(nodes.length)} nodes, in the order of their busy time, which is compute and communication${drawn}. ${MEANING}`,
    }),
    jsonScript("time-tips", profile.tips),
  ];
}

const inSeconds = (label: string) => ({ label, numeric: true, unit: "s" });

/** Every node's times, where there are few. */
function nodeTable(nodes: readonly NodeTime[]): Markup {
  const rows = nodes.map((node, rank) => [
    `node ${rank}`,
    ...timeKinds.map((kind) => quantity(node[kind], formatSeconds)),
    quantity(totalOf(node), formatSeconds),
  ]);
  const shares = timeKinds.map((kind) => formatPercent(shareOf(nodes, kind), 1));
  const whole = table({
    name: "node-times",
    caption: "Time of each node.",
    columns: [{ label: "Node" }, ...["Compute", "Communication", "Waiting", "Total"].map(inSeconds)],
    rows: [...rows, ["share of the total", ...shares, ""]],
  });
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
      quantity(mean(values), formatSeconds),
      ...spread.map((p) => quantity(quantile(values, p), formatSeconds)),
    ];
  });
  return table({
    name: "node-times",
    caption: "Time a node, over all nodes.",
    columns: [
      { label: "Kind" },
      { label: "Share", numeric: true },
      ...["Mean", "Least", "5 %", "Median", "95 %", "Most"].map(inSeconds),
    ],
    rows,
  });
}

const shareOf = (nodes: readonly NodeTime[], kind: TimeKind): number =>
  sum(nodes, (node) => node[kind]) / sum(nodes, totalOf);
