// The collectives of a run, by operation, algorithm and number of members.

import { type CollectiveDone, formatBytes, formatSeconds } from "@atoll/core";
import { group, max, mean, min, quantile, sum } from "d3-array";
import { formatCount } from "../format.ts";
import { html, type Markup } from "./html.ts";
import { type ReportedRun, shortLabel } from "./reportedRun.ts";
import { section } from "./section.ts";
import { type Cell, emptyState, quantity, table } from "./table.ts";

/** Longer tables are folded away. */
const LONG_TABLE = 24;

export function collectivesSection(runs: readonly ReportedRun[]): Markup {
  const rows = runs.flatMap(({ label, collectives }) =>
    rowsOf(collectives).map((row) =>
      runs.length === 1 ? row : [{ shown: shortLabel(label), value: label }, ...row],
    ),
  );
  const whose = runs.length === 1 ? "The run" : "No run";
  return section(
    "collectives",
    "Collectives",
    rows.length === 0
      ? emptyState(`${whose} recorded ${runs.length === 1 ? "no" : "any"} collectives.`)
      : folded(collectivesTable(rows, runs.length), rows.length),
  );
}

const folded = (whole: Markup, rows: number): Markup =>
  rows <= LONG_TABLE
    ? whole
    : html`<details><summary>All ${formatCount(rows)} kinds of collectives</summary>${whole}</details>`;

function rowsOf(collectives: readonly CollectiveDone[]): readonly (readonly Cell[])[] {
  const groups = group(
    collectives,
    ({ operation, algorithm, ranks }) => `${operation}\n${algorithm}\n${ranks.length}`,
  );
  return [...groups.values()].map((members) => {
    const { operation, algorithm, ranks } = members[0]!;
    const durations = members.map(({ ready, end }) => (max(end) ?? 0) - (max(ready) ?? 0));
    const waits = members.map(({ ready }) => (max(ready) ?? 0) - (min(ready) ?? 0));
    return [
      operation,
      algorithm,
      quantity(ranks.length, formatCount),
      quantity(members.length, formatCount),
      quantity(
        sum(members, ({ bytes }) => sum(bytes)),
        formatBytes,
      ),
      quantity(mean(durations), formatSeconds),
      quantity(quantile(durations, 0.95), formatSeconds),
      quantity(mean(waits), formatSeconds),
    ];
  });
}

const collectivesTable = (rows: readonly (readonly Cell[])[], runs: number): Markup =>
  table({
    name: "collectives",
    caption:
      "Collectives. Bytes are those that all members sent; a duration runs from the moment the last member called to the moment the last one left; skew is how long the first member waited for the last, on average.",
    columns: [
      ...(runs === 1 ? [] : [{ label: "Run" }]),
      { label: "Operation" },
      { label: "Algorithm" },
      { label: "Members", numeric: true },
      { label: "Count", numeric: true },
      { label: "Bytes", numeric: true, unit: "B" },
      ...["Mean duration", "95 % duration", "Mean skew"].map((label) => ({
        label,
        numeric: true,
        unit: "s",
      })),
    ],
    rows,
  });
