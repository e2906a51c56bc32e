// The frame of a figure: a box in SVG units with its axes, grid and labels. What is drawn inside belongs to the figures.

import { type Content, html, type Markup } from "../html.ts";
import type { Axis } from "./axis.ts";

/** The drawing's size and the inner edges of its plot, in SVG units (CSS pixels at the natural size). */
export interface PlotBox {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A coordinate with a tenth of a pixel: finer cannot be seen, and pages stay small. */
export const pixel = (value: number): number => Math.round(value * 10) / 10;

/** Baseline, ticks and label below the plot. */
export function bottomAxis(axis: Axis, box: PlotBox): Markup {
  const { left, right, bottom, height } = box;
  return html`<g class="axis"><path class="baseline" d="M${left} ${bottom}H${right}"/>
${axis.ticks.map(
  ({ value, label }) =>
    html`<path class="tick" d="M${pixel(axis.position(value))} ${bottom}v4"/><text x="${pixel(axis.position(value))}" y="${bottom + 17}" text-anchor="middle">${label}</text>`,
)}
<text class="label" x="${(left + right) / 2}" y="${height - 6}" text-anchor="middle">${axis.label}</text></g>`;
}

/** Grid lines across the plot with their values at its left, and the label above. */
export function leftAxis(axis: Axis, box: PlotBox): Markup {
  const { left, right } = box;
  return html`<g class="axis">
${axis.ticks.map(
  ({ value, label }) =>
    html`<path class="grid" d="M${left} ${pixel(axis.position(value))}H${right}"/><text x="${left - 7}" y="${pixel(axis.position(value) + 4)}" text-anchor="end">${label}</text>`,
)}
<text class="label" x="4" y="12">${axis.label}</text></g>`;
}

/** An SVG drawing of a plot. `label` is read out in place of the picture. */
export function drawing(
  box: { readonly width: number; readonly height: number },
  label: string,
  attributes: Content,
  content: Content,
): Markup {
  return html`<svg viewBox="0 0 ${box.width} ${box.height}" width="${box.width}" height="${box.height}" role="img" aria-label="${label}" ${attributes}>
${content}
</svg>`;
}

/** The box as an attribute: the script reads it to place the cursor line, the tests to check what lies inside. */
export const boxAttribute = ({ left, top, right, bottom }: PlotBox): Markup =>
  html`data-box="${left} ${top} ${right} ${bottom}"`;
