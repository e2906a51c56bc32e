// Evaluations on the validation and test sets, one row each; many are thinned, the best and the last always shown.

import { type Evaluated, formatBytes, formatSeconds } from "@atoll/core";
import { least } from "d3-array";
import { formatCount, formatLoss, formatPercent } from "../format.ts";
import type { Run } from "../run.ts";
import { evenly } from "./figure/downsample.ts";
import { type Content, html, type Markup } from "./html.ts";
import { emptyState, table } from "./table.ts";

/** A table that is longer is not read. */
const MOST_ROWS = 40;

export function evaluationSection({ evaluations }: Run): Markup {
  const body =
    evaluations.length === 0
      ? emptyState("The run was not evaluated: it has no validation data, or did not get that far.")
      : evaluationTable(evaluations);
  return html`<section id="evaluation"><h2>Evaluation</h2>${body}</section>`;
}

function evaluationTable(evaluations: readonly Evaluated[]): Markup {
  const finite = evaluations.filter(
    ({ split, loss }) => split === "validation" && Number.isFinite(loss.global),
  );
  const best = least(finite, ({ loss }) => loss.global);
  const kept = new Set(evenly(evaluations.length, MOST_ROWS).map((i) => evaluations[i]!));
  const shown = evaluations.filter(
    (evaluation) => kept.has(evaluation) || evaluation === best || evaluation.split === "test",
  );
  const accuracy = evaluations.some((evaluation) => evaluation.accuracy !== null);
  const rows = shown.map((evaluation) => rowOf(evaluation, accuracy, evaluation === best));
  const left = evaluations.length - shown.length;
  const numeric = (label: string) => ({ label, numeric: true });
  return table(
    [
      "Evaluations. Local is rank 0’s model, global the average of all nodes’ models.",
      best && finite.length > 1 ? " Bold: the lowest global validation loss." : null,
      left > 0 ? ` ${formatCount(left)} rows at equal distances are left out.` : null,
    ],
    [
      { label: "Split" },
      ...["Step", "Simulated time", "Sent per node", "Local loss", "Global loss"].map(numeric),
      ...(accuracy ? ["Local accuracy", "Global accuracy"].map(numeric) : []),
    ],
    rows,
  );
}

function rowOf(evaluation: Evaluated, withAccuracy: boolean, best: boolean): readonly Content[] {
  const { split, step, time, bytesSent, loss, accuracy } = evaluation;
  const percent = (value: number | undefined): string => (value === undefined ? "–" : formatPercent(value));
  return [
    split,
    formatCount(step),
    formatSeconds(time),
    formatBytes(bytesSent),
    formatLoss(loss.local),
    best ? html`<strong>${formatLoss(loss.global)}</strong>` : formatLoss(loss.global),
    ...(withAccuracy ? [percent(accuracy?.local), percent(accuracy?.global)] : []),
  ];
}
