// The table that a terminal shows at the end of a comparison, and the same as JSON.

import { type ConfigTree, formatBytes, formatSeconds } from "@atoll/core";
import { formatLoss, formatPercent } from "../format.ts";
import { formatDollars } from "../prices.ts";
import { textTable } from "../textTable.ts";
import type { CellResult, Comparison } from "./comparison.ts";
import type { Interval } from "./interval.ts";
import { verdictsOf } from "./verdicts.ts";

/** "12.1 s", and with repeats the ends of the 95 % interval: "12.1 s [9.80 s, 15.2 s]". */
export function formatInterval(interval: Interval | null, format: (value: number) => string): string {
  if (interval === null) return "–";
  const { mean, low, high } = interval;
  const isPoint = low === null || high === null || low === high || !Number.isFinite(mean);
  return isPoint ? format(mean) : `${format(mean)} [${format(low)}, ${format(high)}]`;
}

export const tableHead: readonly string[] = [
  "",
  "loss",
  "accuracy",
  "time",
  "sent",
  "cost",
  "to target",
  "cost to target",
  "bound by",
];

/** A row of the table; a cell without any run that came to its end says so. */
export function tableRow(cell: CellResult): readonly string[] {
  const { label, loss, accuracy, seconds, bytes, dollars, bound, toTarget } = cell;
  return [
    label || "the run",
    formatInterval(loss, formatLoss),
    formatInterval(accuracy, (value) => formatPercent(value, 1)),
    formatInterval(seconds, formatSeconds),
    formatInterval(bytes, formatBytes),
    formatInterval(dollars, formatDollars),
    toTargetText(cell),
    formatInterval(toTarget?.dollars ?? null, formatDollars),
    bound ?? "–",
  ];
}

function toTargetText({ toTarget, runs }: CellResult): string {
  if (toTarget === null || runs.length === 0) return "–";
  if (toTarget.reached === 0) return "not reached";
  const some = toTarget.reached < runs.length ? ` (${toTarget.reached} of ${runs.length})` : "";
  return formatInterval(toTarget.seconds, formatSeconds) + some;
}

/** What the numbers rest on, in a few sentences. */
export function comparisonNotes({ target, prices, cells }: Comparison): readonly string[] {
  const repeats = Math.max(0, ...cells.map(({ runs }) => runs.length));
  const all = cells.flatMap(({ runs }) => runs);
  const isCoarse = all.every(({ curveOf, curve }) => curveOf === "evaluations" && curve.length === 1);
  return [
    ...(target === null
      ? []
      : [`Target: loss ${formatLoss(target.loss)}, ${target.given ? "as asked for" : lowestOf(cells)}.`]),
    ...(target !== null && isCoarse
      ? [
          "Each run was evaluated at its end alone, so its time to the target is that of the whole run. Evaluate on the way with a lower valInterval.",
        ]
      : []),
    ...silenceNotes(cells),
    `Cost: $${prices.nodeHour} a node-hour, $${prices.gigabyte} a GB sent.`,
    ...(repeats > 1
      ? [
          "In brackets: the 95 % interval over the repeats (Student's t). Times, bytes and costs are geometric means, with intervals on their logarithms.",
        ]
      : []),
  ];
}

/** Where none sends anything, silence is no difference. */
const lowestOf = (cells: readonly CellResult[]): string =>
  cells.some(({ isSilent }) => isSilent) && cells.some(({ isSilent, runs }) => !isSilent && runs.length > 0)
    ? "the lowest that every run comes to, but for those whose nodes heard nothing of each other"
    : "the lowest that every run comes to";

const NAMED_CELLS = 3;

function silenceNotes(cells: readonly CellResult[]): readonly string[] {
  const silent = cells.filter(({ isSilent }) => isSilent);
  if (silent.length === 0) return [];
  const named = silent.slice(0, NAMED_CELLS).map(({ label }) => label || "the run");
  const more = silent.length > NAMED_CELLS ? `; and ${silent.length - NAMED_CELLS} more` : "";
  return [
    `No node heard of another in ${named.join("; ")}${more}: nothing was sent, as when strategy.H is above maxSteps, or nothing had arrived by the end. Each trained by itself, so it wins nothing.`,
  ];
}

/** Table, notes, verdicts and failures as text, ending with a newline. */
export function comparisonText(comparison: Comparison): string {
  const { cells } = comparison;
  const failures = cells.flatMap(({ label, failures }) =>
    failures.map((reason) => `FAILED  ${label || "the run"}: ${reason}`),
  );
  const verdicts = verdictsOf(comparison).map(({ place, text }) => `${place}: ${text}`);
  const lines = [
    ...textTable(tableHead, cells.map(tableRow)),
    "",
    ...comparisonNotes(comparison),
    "",
    ...verdicts,
    ...failures,
  ];
  return `${lines.join("\n")}\n`;
}

/** The same as JSON. Seconds are simulated; bytes are those of all nodes together. */
export function comparisonJson(comparison: Comparison): ConfigTree {
  const { target, prices, cells } = comparison;
  const json = {
    target,
    prices,
    cells: cells.map(({ runs, ...cell }) => ({
      ...cell,
      runs: runs.map(({ seed, loss, accuracy, costs }) => ({ seed, loss, accuracy, ...costs })),
    })),
    verdicts: verdictsOf(comparison),
  };
  return json as unknown as ConfigTree;
}
