// Legends: a small drawing of each mark with its name, in HTML so that they wrap on a narrow page.

import { type Content, html, type Markup } from "../html.ts";
import { outline, type SeriesKind } from "./linePanel.ts";

export type LegendMark =
  | { readonly kind: "line"; readonly series: SeriesKind; readonly pale?: boolean; readonly point?: boolean }
  | { readonly kind: "diamond"; readonly series: SeriesKind }
  | { readonly kind: "gap" }
  | { readonly kind: "rolledBack" | "goneOn" | "recovered" | "checkpoint" }
  | { readonly kind: "area"; readonly className: string }
  /** A thin bar at an edge of a lane. */
  | { readonly kind: "edge"; readonly className: string; readonly edge: "top" | "bottom" };

export interface LegendEntry {
  readonly mark: LegendMark;
  readonly label: string;
}

export function legend(entries: readonly LegendEntry[]): Markup {
  return html`<ul class="legend">${entries.map(
    ({ mark, label }) => html`<li>${swatchOf(mark)}<span>${label}</span></li>\n`,
  )}</ul>`;
}

/** A mark as a small drawing of its own. */
export const swatchOf = (mark: LegendMark): Markup =>
  html`<svg viewBox="0 0 28 14" width="28" height="14" aria-hidden="true">${swatch(mark)}</svg>`;

function swatch(mark: LegendMark): Content {
  switch (mark.kind) {
    case "line":
      return [
        html`<path class="line ${mark.series}${mark.pale ? " pale" : ""}" d="M1 7.5H27"/>`,
        mark.point
          ? html`<path class="point ${mark.series}" transform="translate(14 7.5)" d="${outline("circle")}"/>`
          : null,
      ];
    case "diamond":
      return html`<path class="point ${mark.series}" transform="translate(14 7.5)" d="${outline("diamond")}"/>`;
    case "gap":
      return html`<path class="gap" d="M9 3v7M14 3v7M19 3v7"/>`;
    case "rolledBack":
      return html`<path class="turn rolledBack" d="M14 14V0"/>`;
    case "checkpoint":
      return html`<path class="turn checkpoint" d="M14 14V0"/>`;
    case "goneOn":
      return html`<path class="turn goneOn" d="M14 14V7"/>`;
    case "recovered":
      return html`<path class="recovered" stroke-width="8" d="M14 7h0"/>`;
    case "area":
      return html`<rect class="${mark.className}" x="5" y="1" width="18" height="12"/>`;
    case "edge":
      return html`<rect class="lane" x="3" y="0" width="22" height="14"/><path class="${mark.className}" stroke-width="4" d="M3 ${mark.edge === "top" ? 2 : 12}h22"/>`;
    default:
      return mark satisfies never;
  }
}
