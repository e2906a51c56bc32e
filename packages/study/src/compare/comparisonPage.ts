// A comparison as one page that needs nothing but itself, in the style of a run's report: which wins where and why, the
// losses against what they cost, and all cells as a table.

import { formatCount } from "../format.ts";
import { filesOf, type NamedFile } from "../report/attachment.ts";
import { commandText } from "../report/configSection.ts";
import { contenderKind, DISTINCT_CONTENDERS } from "../report/figure/contenders.ts";
import { figure } from "../report/figure/figure.ts";
import { attachmentsOf, type Content, html, type Markup } from "../report/html.ts";
import { page } from "../report/page.ts";
import { type Cell, emptyState, facts, table } from "../report/table.ts";
import type { CellResult, Comparison } from "./comparison.ts";
import { comparisonNotes, tableHead, tableRow } from "./comparisonTable.ts";
import { curvePanels, lossAxis } from "./curvePanels.ts";
import { EVERYWHERE } from "./roles.ts";
import { placesOf, verdictsOf } from "./verdicts.ts";

/** More figures than these make a page that nobody scrolls through. */
const MOST_PLACES = 16;

export interface ComparisonTitle {
  readonly name: string;
  readonly experiment: string;
  /** The command line that made it, if it is known. */
  readonly command: readonly string[] | null;
}

export interface ComparisonReport {
  /** A complete HTML document (UTF-8). */
  readonly page: string;
  /** Each figure as an SVG document, each table as CSV. */
  readonly files: () => readonly NamedFile[];
}

/** Makes the page. Pure: the same comparison gives the same one. */
export function renderComparison(comparison: Comparison, title: ComparisonTitle): ComparisonReport {
  const sections = [
    header(comparison, title),
    verdictSection(comparison),
    lossSection(comparison),
    cellSection(comparison),
    commandSection(title),
  ];
  return {
    page: page(title.name, sections, "the events of the compared runs"),
    files: () => filesOf(attachmentsOf(sections)),
  };
}

function header({ cells, target, prices }: Comparison, { name, experiment }: ComparisonTitle): Markup {
  const runs = cells.reduce((sum, cell) => sum + cell.runs.length, 0);
  const failures = cells.flatMap(({ label, failures }) =>
    failures.map((reason) => `${label || "The run"} failed: ${reason}`),
  );
  return html`<header>
<p class="kind">Atoll · comparison of runs</p>
<h1 class="name" dir="auto">${name}</h1>
${failures.map((text) => html`<p class="note">${text}</p>\n`)}
${facts([
  ["Experiment", experiment],
  ["Cells", formatCount(cells.length)],
  ["Runs", formatCount(runs)],
])}
${comparisonNotes({ cells, target, prices }).map((note) => html`<p>${note}</p>\n`)}
</header>`;
}

function verdictSection(comparison: Comparison): Markup {
  const paragraphs = verdictsOf(comparison).map(
    ({ place, text }) =>
      html`<p>${place === EVERYWHERE ? null : html`<strong>${place}</strong>: `}${text}</p>\n`,
  );
  return html`<section id="verdicts"><h2>Which wins where</h2>
${paragraphs.length === 0 ? emptyState("Nothing was compared.") : paragraphs}</section>`;
}

function lossSection({ cells, prices }: Comparison): Markup {
  const heading = html`<h2>Loss against what it costs</h2>`;
  if (cells.every(({ runs }) => runs.length === 0))
    return html`<section id="loss">${heading}${emptyState("No run came to its end, so there is no loss to show.")}</section>`;
  const places = placesOf(cells);
  const contenders = [
    ...new Set(places.flatMap(({ cells: inside }) => inside.map(({ contender }) => contender))),
  ];
  const yAxis = lossAxis(cells);
  const figures = places.slice(0, MOST_PLACES).map(({ label, cells: inside }) => {
    // A contender has the same look in every place.
    const slots = contenders.map((contender) => inside.find((cell) => cell.contender === contender));
    const drawn = slots.map((cell) => cell ?? NOTHING);
    const entries = contenders.flatMap((contender, i) =>
      slots[i] === undefined
        ? []
        : [{ mark: { kind: "line", series: contenderKind(i), point: true } as const, label: contender }],
    );
    return figure({
      name: `loss-${label}`,
      title: `Loss against what it costs${label === EVERYWHERE ? "" : `: ${label}`}`,
      legend: entries,
      panels: curvePanels(drawn, yAxis, prices),
      layout: "grid",
      caption: caption(label, inside, contenders.length),
    });
  });
  const left = places.length - figures.length;
  const more = left > 0 ? html`<p>${formatCount(left)} more places are in the table only.</p>` : null;
  return html`<section id="loss">${heading}${figures}${more}</section>`;
}

/** In the place of a contender that is not there. */
const NOTHING: CellResult = {
  label: "",
  varied: {},
  runs: [],
  failures: [],
  latencyShare: null,
  loss: null,
  accuracy: null,
  seconds: null,
  bytes: null,
  dollars: null,
  computeShare: null,
  bound: null,
  toTarget: null,
  isSilent: false,
};

function caption(place: string, cells: readonly CellResult[], contenders: number): Content {
  const evaluated = cells.every(({ runs }) => runs.every(({ curveOf }) => curveOf === "evaluations"));
  return [
    place === EVERYWHERE ? null : `${place}. `,
    evaluated
      ? "Loss of the average of all nodes’ models, at each evaluation; a line is a run. "
      : "Training loss where a run has no evaluations; a line is a run. ",
    "Axes whose values differ by more than a factor of 30 are logarithmic, without a place for 0. ",
    contenders > DISTINCT_CONTENDERS ? `Looks come again after ${DISTINCT_CONTENDERS} contenders. ` : null,
  ];
}

function cellSection({ cells }: Comparison): Markup {
  const columns = tableHead.map((label, i) => ({ label, numeric: i > 0 && i < tableHead.length - 1 }));
  return html`<section id="cells"><h2>All cells</h2>${table({
    name: "cells",
    caption: cells.some(({ runs }) => runs.length > 1)
      ? "Means over the runs of each cell. Time is simulated, bytes are those of all nodes together; in brackets: the 95 % interval."
      : "Time is simulated, bytes are those of all nodes together.",
    columns,
    rows: cells.map((cell) =>
      tableRow(cell).map((text, i) => {
        if (i === 0) return linePerOption(text);
        return columns[i]!.numeric ? twoLines(text) : text;
      }),
    ),
  })}</section>`;
}

/** An interval goes below its mean, which it would make too wide. */
function twoLines(text: string): Cell {
  const [, mean, interval] = /^(.+?) (\[.+)$/.exec(text) ?? [];
  if (interval === undefined) return text;
  return { shown: html`${mean!}<br/><span class="interval">${interval}</span>`, value: text };
}

/** Options of a cell go below each other, so that its numbers are seen on a narrow screen, too. */
function linePerOption(label: string): Cell {
  const [first = "", ...others] = label.split(/ (?=[\w.]+=)/);
  if (others.length === 0) return label;
  return { shown: html`${first}${others.map((option) => html`<br/>${option}`)}`, value: label };
}

function commandSection({ command }: ComparisonTitle): Content {
  if (command === null) return null;
  return html`<section id="reproduce"><h2>Reproduce</h2><pre class="command"><code>${commandText(command)}</code></pre></section>`;
}
