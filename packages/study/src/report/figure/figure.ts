// A figure of a page: legend, drawings and caption, which can be saved as one SVG file that is readable on white paper.

import { fileStem } from "../attachment.ts";
import { type Content, html, Markup, textOf } from "../html.ts";
import { drawingStyle } from "./drawingStyle.ts";
import { type LegendEntry, legend, swatchOf } from "./legend.ts";
import { withPrintedColours } from "./palette.ts";
import { standaloneSvg } from "./standalone.ts";

/** One drawing in several forms, of which a switch on the page shows one; the first is the one that is shown at first. */
export interface SwitchedPanel {
  readonly forms: readonly Markup[];
}

export interface Figure {
  /** Of the file that it is saved as, without ".svg"; says what the figure shows. */
  readonly name: string;
  readonly title: string;
  readonly legend?: readonly LegendEntry[];
  /** Drawings, and what stands in the place of one that is not there. */
  readonly panels: readonly (Markup | SwitchedPanel)[];
  /** Side by side where there is room, or one below the other. Default: a single panel is alone. */
  readonly layout?: "grid" | "stack";
  readonly className?: string;
  readonly caption: Content;
}

/** The pattern that marks waiting, for all figures. */
export const hatchPattern: Markup = html`<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6"/><path d="M1.5 0V6"/></pattern></defs>`;

/** The styles of a saved figure: those of the page's drawings, in the colours of paper. */
export const savedStyle: string = withPrintedColours(`
.figure { font-family: "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
.paper { fill: #ffffff; }
svg { overflow: visible; }
${drawingStyle}`).trim();

export const savedPatterns: string = html`<g class="hatch">${hatchPattern}</g>`.text;

export function figure(parts: Figure): Markup {
  const { title, panels, layout, className = "", caption } = parts;
  const name = fileStem(parts.name);
  const entries = parts.legend ?? [];
  const drawn = panels.flatMap((panel) => ("forms" in panel ? panel.forms : [panel]));
  const body = html`<div class="${layout === "grid" ? "panels" : drawn.some(isWide) ? "drawings wide" : "drawings"}">${drawn}</div>`;
  const markup = html`<figure class="${className}" data-name="${name}" data-title="${title}" data-columns="${columnsOf(layout)}">
${entries.length > 0 ? legend(entries) : null}
${body}
<figcaption>${caption}</figcaption></figure>
`;
  const content = (): string =>
    standaloneSvg({
      title,
      legend: entries.map(({ mark, label }) => ({ swatch: swatchOf(mark).text, label: textOf(label) })),
      panels: panels
        .map((panel) => ("forms" in panel ? panel.forms[0]! : panel).text)
        .filter((text) => text.startsWith("<svg")),
      columns: columnsOf(layout),
      style: savedStyle,
      patterns: savedPatterns,
    });
  // Nothing is drawn where every panel only says why it is empty.
  if (!drawn.some(({ text }) => text.startsWith("<svg"))) return markup;
  return new Markup(markup.text, [{ kind: "figure", name, content }]);
}

/** On a narrow page, texts of a wide drawing would be too small to read: it is scrolled then. */
const isWide = ({ text }: Markup): boolean =>
  Number(/^<svg viewBox="0 0 ([\d.]+)/.exec(text)?.[1] ?? 0) > 600;

const columnsOf = (layout: Figure["layout"]): number => (layout === "grid" ? 2 : 1);
