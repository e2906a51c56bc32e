// A section of the report: it shows one run or several, and leaves itself out where it has nothing to say.

import { formatCount } from "../format.ts";
import type { Prices } from "../prices.ts";
import { type Content, html, type Markup } from "./html.ts";
import { type ReportedRun, shortLabel } from "./reportedRun.ts";
import { emptyState } from "./table.ts";

export interface ReportOptions {
  /** What nodes and traffic are billed; null leaves costs out. */
  readonly prices: Prices | null;
}

/** Null leaves the section out. There is one run at least. */
export type Section = (runs: readonly ReportedRun[], options: ReportOptions) => Content;

/** Above this, figures that show one run each would make a page that nobody scrolls through. */
const MOST_IN_DETAIL = 8;
/** With more, all but the first are folded. */
const MOST_OPEN = 3;
const LONGEST_HEADING = 90;

export const section = (id: string, title: string, body: Content): Markup =>
  html`<section id="${id}"><h2>${title}</h2>
${body}</section>`;

/** The bodies of runs one below the other, each under its run's name where there are several. */
export function runByRun(runs: readonly ReportedRun[], body: (run: ReportedRun) => Content): Content {
  if (runs.length === 1) return body(runs[0]!);
  const left = runs.length - MOST_IN_DETAIL;
  const shown = left > 0 ? runs.slice(0, MOST_IN_DETAIL) : runs;
  return [
    shown.map((run, i) =>
      runs.length <= MOST_OPEN
        ? html`<div class="part"><h3>${shortLabel(run.label, LONGEST_HEADING)}</h3>\n${body(run)}</div>\n`
        : html`<details class="part" ${i === 0 ? html`open=""` : null}><summary>${shortLabel(run.label, LONGEST_HEADING)}</summary>\n${body(run)}</details>\n`,
    ),
    left > 0
      ? emptyState(
          `Shown for the first ${MOST_IN_DETAIL} runs. Ask for a report of fewer runs to see the ${formatCount(left)} others here.`,
        )
      : null,
  ];
}
