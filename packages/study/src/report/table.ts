// Tables of the report: a caption, a head, rows; columns of numbers are set flush right.

import { type Content, html, type Markup } from "./html.ts";

export interface Column {
  readonly label: Content;
  readonly numeric?: boolean;
  /** True for sentences, which go over several lines; other columns keep theirs on one. */
  readonly wrapped?: boolean;
}

export function table(
  caption: Content,
  columns: readonly Column[],
  rows: readonly (readonly Content[])[],
): Markup {
  const kind = (index: number): string => {
    if (columns[index]?.numeric) return "number";
    return columns[index]?.wrapped ? "wrapped" : "text";
  };
  return html`<div class="scroll"><table>
<caption>${caption}</caption>
<thead><tr>${columns.map(({ label }, i) => html`<th scope="col" class="${kind(i)}">${label}</th>`)}</tr></thead>
<tbody>
${rows.map((cells) => html`<tr>${cells.map((cell, i) => html`<td class="${kind(i)}">${cell}</td>`)}</tr>\n`)}</tbody>
</table></div>`;
}

/** Names and values, as in a paper's table of settings. A value of null leaves the row out. */
export function facts(rows: readonly (readonly [name: string, value: Content])[]): Markup {
  const present = rows.filter(([, value]) => value !== null);
  return html`<dl class="facts">${present.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)}</dl>`;
}

/** Says why a place is empty. */
export const emptyState = (sentence: Content): Markup => html`<p class="empty">${sentence}</p>`;
