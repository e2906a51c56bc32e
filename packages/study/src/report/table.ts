// Tables of the report: a caption, a head, rows; columns of numbers are set flush right. Each can be saved as CSV (RFC 4180),
// with numbers as they were before they were rounded for reading.

import { fileStem } from "./attachment.ts";
import { csvText } from "./csvText.ts";
import { type Content, html, Markup, textOf } from "./html.ts";

/** Tables with more columns are set closer. */
const MANY_COLUMNS = 8;

export interface Column {
  readonly label: Content;
  readonly numeric?: boolean;
  /** True for sentences, which go over several lines; other columns keep theirs on one. */
  readonly wrapped?: boolean;
  /** Of the values behind what is shown, for the head of the CSV file: "s", "B". */
  readonly unit?: string;
}

/** A cell that shows another text than the value that is saved. */
export interface Quantity {
  readonly shown: Content;
  readonly value: number | string;
}

export type Cell = Content | Quantity;

/** A number as a cell, shown by `format`; a dash where there is none. */
export const quantity = (value: number | null | undefined, format: (value: number) => string): Cell =>
  value === null || value === undefined ? { shown: "–", value: "" } : { shown: format(value), value };

const isQuantity = (cell: Cell): cell is Quantity =>
  typeof cell === "object" && cell !== null && !(cell instanceof Markup) && "shown" in cell;

export interface Table {
  /** Of the file that it is saved as, without ".csv". */
  readonly name: string;
  readonly caption: Content;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

export function table({ name, caption, columns, rows }: Table): Markup {
  const kind = (index: number): string => {
    if (columns[index]?.numeric) return "number";
    return columns[index]?.wrapped ? "wrapped" : "text";
  };
  const head = columns.map(({ label, unit }) => `${textOf(label)}${unit === undefined ? "" : ` (${unit})`}`);
  const cellOf = (cell: Cell, i: number): Markup =>
    isQuantity(cell)
      ? html`<td class="${kind(i)}" data-value="${String(cell.value)}">${cell.shown}</td>`
      : html`<td class="${kind(i)}">${cell}</td>`;
  const stem = fileStem(name);
  const markup = html`<div class="scroll"><table class="${columns.length > MANY_COLUMNS ? "dense" : ""}" data-name="${stem}">
<caption>${caption}</caption>
<thead><tr>${columns.map(({ label }, i) => html`<th scope="col" class="${kind(i)}" data-value="${head[i]!}">${label}</th>`)}</tr></thead>
<tbody>
${rows.map((cells) => html`<tr>${cells.map(cellOf)}</tr>\n`)}</tbody>
</table></div>`;
  const plain = (cell: Cell): string => (isQuantity(cell) ? String(cell.value) : textOf(cell));
  const content = (): string => csvText([head, ...rows.map((cells) => cells.map(plain))]);
  return new Markup(markup.text, [{ kind: "table", name: stem, content }]);
}

/** Names and values, as in a paper's table of settings. A value of null leaves the row out. */
export function facts(rows: readonly (readonly [name: string, value: Content])[]): Markup {
  const present = rows.filter(([, value]) => value !== null);
  return html`<dl class="facts">${present.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)}</dl>`;
}

/** Says why a place is empty. */
export const emptyState = (sentence: Content): Markup => html`<p class="empty">${sentence}</p>`;
