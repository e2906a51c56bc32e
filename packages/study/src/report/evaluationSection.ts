// Evaluations on the validation and test sets, one row each; many are thinned, the best and the last always shown.

import { type Evaluated, formatBytes, formatSeconds } from "@atoll/core";
import { least, sum } from "d3-array";
import { formatCount, formatLoss, formatPercent } from "../format.ts";
import { evenly } from "./figure/downsample.ts";
import { html, type Markup } from "./html.ts";
import { type ReportedRun, shortLabel } from "./reportedRun.ts";
import { section } from "./section.ts";
import { type Cell, emptyState, quantity, table } from "./table.ts";

/** A table that is longer is not read. */
const MOST_ROWS = 40;
/** Of one of many runs, beside the best and the last. */
const LEAST_ROWS = 2;

export function evaluationSection(runs: readonly ReportedRun[]): Markup {
  return section("evaluation", "Evaluation", bodyOf(runs));
}

function bodyOf(runs: readonly ReportedRun[]): Markup {
  if (runs.some(({ evaluations }) => evaluations.length > 0)) return evaluationTable(runs);
  return emptyState(
    runs.length === 1
      ? "The run was not evaluated: it has no validation data, or did not get that far."
      : "No run was evaluated: they have no validation data, or did not get that far.",
  );
}

function evaluationTable(runs: readonly ReportedRun[]): Markup {
  const withAccuracy = runs.some(({ evaluations }) => evaluations.some(({ accuracy }) => accuracy !== null));
  const each = Math.max(LEAST_ROWS, Math.floor(MOST_ROWS / runs.length));
  const parts = runs.map((run) => ({ run, ...chosen(run.evaluations, each) }));
  const rows = parts.flatMap(({ run, shown, best }) =>
    shown.map((evaluation) => [
      ...(runs.length === 1 ? [] : [{ shown: shortLabel(run.label), value: run.label }]),
      ...rowOf(evaluation, withAccuracy, evaluation === best),
    ]),
  );
  const left = sum(parts, ({ run, shown }) => run.evaluations.length - shown.length);
  const whole = table({
    name: "evaluations",
    caption: [
      "Evaluations. Local is rank 0’s model, global the average of all nodes’ models.",
      parts.some(({ best }) => best !== undefined)
        ? ` Bold: the lowest global validation loss${runs.length === 1 ? "" : " of each run"}.`
        : null,
      left > 0 ? ` ${formatCount(left)} rows at equal distances are left out.` : null,
    ],
    columns: [
      ...(runs.length === 1 ? [] : [{ label: "Run" }]),
      { label: "Split" },
      { label: "Step", numeric: true },
      { label: "Time", numeric: true, unit: "s" },
      { label: "Sent per node", numeric: true, unit: "B" },
      ...["Local loss", "Global loss"].map((label) => ({ label, numeric: true })),
      ...(withAccuracy ? ["Local accuracy", "Global accuracy"] : []).map((label) => ({
        label,
        numeric: true,
      })),
    ],
    rows,
  });
  if (runs.length === 1) return whole;
  return html`<details><summary>${formatCount(rows.length)} evaluations</summary>${whole}</details>`;
}

function chosen(
  evaluations: readonly Evaluated[],
  count: number,
): { readonly shown: readonly Evaluated[]; readonly best: Evaluated | undefined } {
  const finite = evaluations.filter(
    ({ split, loss }) => split === "validation" && Number.isFinite(loss.global),
  );
  const best = finite.length > 1 ? least(finite, ({ loss }) => loss.global) : undefined;
  const kept = new Set(evenly(evaluations.length, count).map((i) => evaluations[i]!));
  const shown = evaluations.filter(
    (evaluation) => kept.has(evaluation) || evaluation === best || evaluation.split === "test",
  );
  return { shown, best };
}

function rowOf(evaluation: Evaluated, withAccuracy: boolean, best: boolean): readonly Cell[] {
  const { split, step, time, bytesSent, loss, accuracy } = evaluation;
  const global = formatLoss(loss.global);
  return [
    split,
    quantity(step, formatCount),
    quantity(time, formatSeconds),
    quantity(bytesSent, formatBytes),
    quantity(loss.local, formatLoss),
    { shown: best ? html`<strong>${global}</strong>` : global, value: loss.global },
    ...(withAccuracy
      ? [
          ...[accuracy?.local, accuracy?.global].map((value) =>
            quantity(value, (part) => formatPercent(part)),
          ),
        ]
      : []),
  ];
}
