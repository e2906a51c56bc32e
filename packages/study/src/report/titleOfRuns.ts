// The head of a report of several runs: what they were, how each ended, and the figures that it is judged by.

import { formatBytes, formatSeconds } from "@atoll/core";
import { formatCount, formatLoss, formatPercent } from "../format.ts";
import { formatDollars, type Prices } from "../prices.ts";
import { describeChoice, timeNameOfRuns } from "../run.ts";
import { type Content, html, type Markup } from "./html.ts";
import { type ReportedRun, shortLabel } from "./reportedRun.ts";
import { type RunSummary, summaryOf } from "./runSummary.ts";
import type { ReportOptions } from "./section.ts";
import { type Cell, type Column, facts, quantity, table } from "./table.ts";

/** Warnings beyond this are counted. */
const MOST_NOTES = 6;

export function titleOfRuns(runs: readonly ReportedRun[], { prices }: ReportOptions): Markup {
  const experiments = namesOf(runs, ({ settings }) => describeChoice(settings.experiment));
  const ended = Map.groupBy(runs, ({ outcome }) => outcome.kind);
  return html`<header>
<p class="kind">Atoll · report of ${formatCount(runs.length)} runs</p>
<h1 class="name long" dir="auto">${titleOf(runs)}</h1>
${notesOf(runs, experiments.length)}
${facts([
  ["Experiment", experiments.length === 0 ? null : experiments.join(", ")],
  ["Runs", [...ended].map(([kind, same]) => `${formatCount(same.length)} ${kind}`).join(", ")],
])}
${summaryTable(
  runs.map((run) => summaryOf(run, prices)),
  { prices, time: timeNameOfRuns(runs) },
)}
</header>`;
}

/** Names that many runs share are said once. */
function titleOf(runs: readonly ReportedRun[]): string {
  const names = runs.slice(0, 3).map(({ label }) => shortLabel(label));
  const left = runs.length - names.length;
  return left > 0 ? `${names.join(", ")} and ${formatCount(left)} more` : names.join(", ");
}

const namesOf = (
  runs: readonly ReportedRun[],
  of: (run: ReportedRun) => string | null,
): readonly string[] => [...new Set(runs.map(of).filter((name) => name !== null))];

/** What a reader has to know before the numbers are compared. */
function notesOf(runs: readonly ReportedRun[], experiments: number): Content {
  const notes = [
    ...(experiments > 1
      ? ["The runs are of different experiments: their losses do not measure the same."]
      : []),
    ...runs.flatMap(({ label, outcome }) =>
      outcome.kind === "diverged"
        ? [
            `${shortLabel(label)} diverged: from step ${formatCount(outcome.since)} on its loss is no finite number.`,
          ]
        : [],
    ),
    ...runs.flatMap(({ label, outcome }) =>
      "message" in outcome && outcome.message !== null
        ? [
            `${shortLabel(label)} ${outcome.kind === "failed" ? "failed" : "was interrupted"}: ${outcome.message}`,
          ]
        : [],
    ),
    ...runs
      .filter(({ truncated }) => truncated)
      .map(
        ({ label }) => `The last line of events.jsonl of ${shortLabel(label)} was cut off and is left out.`,
      ),
    ...new Set(runs.flatMap(({ warnings }) => warnings)),
  ];
  const left = notes.length - MOST_NOTES;
  return [
    notes.slice(0, MOST_NOTES).map((note) => html`<p class="note">${note}</p>\n`),
    left > 0
      ? html`<p class="note">${formatCount(left)} more notes are in the runs’ own reports.</p>\n`
      : null,
  ];
}

interface SummaryColumn extends Column {
  readonly cell: (run: RunSummary) => Cell;
}

function summaryTable(
  runs: readonly RunSummary[],
  { prices, time }: { readonly prices: Prices | null; readonly time: string },
): Markup {
  const experiments = new Set(runs.map(({ experiment }) => experiment)).size;
  const columns = [
    ...identity({
      experiment: experiments > 1,
      outcome: runs.some(({ outcome }) => outcome !== "completed"),
    }),
    ...quality(runs.some(({ accuracy }) => accuracy !== null)),
    ...costs(prices),
  ];
  const trained = runs.some(({ lossOf }) => lossOf === "training");
  return table({
    name: "runs",
    caption: [
      "Runs. Loss and accuracy are those of the average of all nodes’ models, on the test set or else the last on the validation set. ",
      trained ? "In italics: training loss of the last step, where a run was not evaluated. " : null,
      `Time: ${time.replace(/^time,? | time$/, "")}. `,
      prices === null ? null : `Cost: $${prices.nodeHour} a node-hour, $${prices.gigabyte} a GB sent.`,
    ],
    columns,
    rows: runs.map((run) => columns.map(({ cell }) => cell(run))),
  });
}

const identity = (shown: {
  readonly experiment: boolean;
  readonly outcome: boolean;
}): readonly SummaryColumn[] => [
  { label: "Run", cell: ({ name }) => ({ shown: shortLabel(name), value: name }) },
  ...(shown.experiment
    ? [{ label: "Experiment", cell: ({ experiment }: RunSummary) => experiment ?? "–" }]
    : []),
  {
    label: "Strategy",
    cell: ({ strategy, strategyOptions }) => ({
      shown: shortLabel(strategy ?? "–", 28),
      value: strategyOptions ?? "",
    }),
  },
  { label: "Nodes", numeric: true, cell: ({ nodes }) => quantity(nodes, formatCount) },
  { label: "Network", cell: ({ network }) => network ?? "–" },
  ...(shown.outcome ? [{ label: "Outcome", cell: ({ outcome }: RunSummary) => outcome }] : []),
  { label: "Steps", numeric: true, cell: ({ steps }) => quantity(steps, formatCount) },
];

const quality = (withAccuracy: boolean): readonly SummaryColumn[] => [
  {
    label: "Loss",
    numeric: true,
    cell: ({ loss, lossOf }) =>
      loss !== null && lossOf === "training"
        ? { shown: html`<em>${formatLoss(loss)}</em>`, value: loss }
        : quantity(loss, formatLoss),
  },
  ...(withAccuracy
    ? [
        {
          label: "Accuracy",
          numeric: true,
          cell: ({ accuracy }: RunSummary) => quantity(accuracy, (part) => formatPercent(part)),
        },
      ]
    : []),
];

const costs = (prices: Prices | null): readonly SummaryColumn[] => [
  {
    label: "Time",
    numeric: true,
    unit: "s",
    cell: (run) => quantity(run.simulatedSeconds, formatSeconds),
  },
  {
    label: "Sent per node",
    numeric: true,
    unit: "B",
    cell: ({ bytesPerNode }) => quantity(bytesPerNode, formatBytes),
  },
  { label: "Sent by all", numeric: true, unit: "B", cell: (run) => quantity(run.totalBytes, formatBytes) },
  ...(prices === null
    ? []
    : [
        {
          label: "Cost",
          numeric: true,
          unit: "$",
          cell: ({ dollars }: RunSummary) => quantity(dollars, formatDollars),
        },
      ]),
];
