// The report's style sheet; what is inside of drawings has one of its own.

import { drawingStyle } from "./figure/drawingStyle.ts";
import { colourStyle } from "./figure/palette.ts";

const text = `
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
body { margin: 0; counter-reset: figure table; font-variant-numeric: tabular-nums; }
main, footer { max-width: 1120px; margin: 0 auto; padding: 0 28px; }
header { padding-top: 36px; }
.kind { margin: 0 0 4px; color: var(--quiet); font-size: 13px; }
h1, h2 { font-family: Charter, "Iowan Old Style", "Palatino Linotype", Georgia, "DejaVu Serif", serif; font-weight: 600; line-height: 1.2; }
h1 { margin: 0 0 10px; font-size: 32px; overflow-wrap: anywhere; }
h1.long { font-size: 19px; line-height: 1.35; }
h2 { margin: 0 0 14px; font-size: 21px; }
h3 { margin: 0 0 10px; font-size: 15px; font-weight: 600; overflow-wrap: anywhere; }
.part + .part { margin-top: 28px; }
details.part + details.part { margin-top: 8px; } details.part > summary { color: var(--ink); overflow-wrap: anywhere; }
section { margin-top: 44px; padding-top: 18px; border-top: 1px solid var(--rule); }
p { margin: 0 0 10px; max-width: 78ch; }
code, pre, .options { font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; font-size: 13px; }
.outcome { overflow-wrap: anywhere; }
.badge { display: inline-block; margin-right: 4px; padding: 0 9px; border: 1px solid currentColor; border-radius: 10px; font-size: 13px; line-height: 20px; }
.completed .badge { color: var(--good); }
.failed .badge, .interrupted .badge, .diverged .badge { color: var(--bad); }
.unfinished .badge { color: var(--quiet); }
.note { color: var(--bad); }
.empty { color: var(--quiet); font-style: italic; }
footer { margin-top: 48px; padding-bottom: 32px; color: var(--quiet); font-size: 12.5px; }
footer p { border-top: 1px solid var(--rule); padding-top: 12px; max-width: none; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 5px 28px; margin: 16px 0 22px; font-size: 14px; }
.facts div { display: flex; gap: 10px; min-width: 0; }
.facts dt { flex: 0 0 90px; color: var(--quiet); }
.facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px 20px; margin: 0; padding: 16px 0 0; border-top: 1px solid var(--rule); list-style: none; }
.headline li { display: flex; flex-direction: column; }
.headline .label { color: var(--quiet); font-size: 13px; }
.headline .value { font-size: 25px; line-height: 1.25; }
.headline .detail { color: var(--quiet); font-size: 12.5px; }`;

/** A shade at the edge beyond which there is more: what is scrolled with the content covers it at the content's own end. */
const cover = (side: string, to: string): string =>
  `linear-gradient(to ${to}, var(--paper) 40%, transparent) ${side} / 32px 100% no-repeat local`;
const shade = (side: string, to: string): string =>
  `linear-gradient(to ${to}, var(--rule), transparent) ${side} center / 12px calc(100% - 2px) no-repeat scroll`;
const moreBeside = `background: ${[
  cover("left", "right"),
  cover("right", "left"),
  shade("left", "right"),
  shade("right", "left"),
].join(", ")};`;

const tables = `
.scroll { overflow-x: auto; ${moreBeside} }
table { border-collapse: collapse; margin: 6px 0 12px; font-size: 13.5px; }
caption { counter-increment: table; caption-side: top; max-width: min(78ch, 100vw - 56px); padding: 0 0 8px; color: var(--quiet); font-size: 13px; text-align: left; }
caption::before { content: "Table " counter(table) ". "; color: var(--ink); font-weight: 600; }
thead th { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); font-weight: 600; vertical-align: bottom; }
tbody tr:last-child > * { border-bottom: 1.5px solid var(--ink); }
th, td { padding: 3px 22px 3px 0; text-align: left; vertical-align: top; }
th.number, td.number { text-align: right; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 4px; }
table.dense { font-size: 13px; } table.dense th, table.dense td { padding-right: 10px; }
td.text { white-space: nowrap; }
.interval { color: var(--quiet); font-size: 11px; }
td.wrapped { min-width: 26ch; overflow-wrap: anywhere; }
summary { margin-bottom: 6px; color: var(--quiet); cursor: pointer; font-size: 13.5px; }
.options { width: 100%; table-layout: fixed; }
.options th { width: 34%; font-weight: normal; color: var(--quiet); overflow-wrap: anywhere; }
.options td { overflow-wrap: anywhere; white-space: pre-wrap; }
.options tr > * { border-bottom: 1px solid var(--faint); }
.options .group th { padding-top: 14px; border-bottom: 1px solid var(--rule); color: var(--ink); font-family: system-ui, sans-serif; font-weight: 600; }
.options .group:first-child th { padding-top: 4px; }
.options em { font-family: system-ui, sans-serif; color: var(--quiet); }
.filter input { padding: 2px 8px; border: 1px solid var(--rule); border-radius: 4px; background: var(--panel); color: var(--ink); font: inherit; font-size: 13.5px; }
.filter, .filter span { font-size: 13.5px; color: var(--quiet); }
pre.command { margin: 0; padding: 12px 14px; border: 1px solid var(--rule); border-radius: 4px; background: var(--panel); white-space: pre-wrap; overflow-wrap: anywhere; }`;

const figures = `
figure { margin: 0; min-width: 0; }
figcaption { max-width: 86ch; margin-top: 8px; color: var(--quiet); font-size: 13px; counter-increment: figure; }
figcaption::before { content: "Figure " counter(figure) ". "; color: var(--ink); font-weight: 600; }
section > .scroll, section > details { margin-top: 18px; }
h2 + .scroll { margin-top: 0; }
#config details { margin-top: 0; }
.hatch { position: absolute; }
svg { display: block; max-width: 100%; height: auto; overflow: visible; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px 24px; }
.panels > svg { width: 100%; }
.panels > .nothing { display: flex; align-items: center; justify-content: center; min-height: 200px; padding: 0 40px; border: 1px dashed var(--rule); text-align: center; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px 32px; align-items: center; }
.beside svg { margin: 0 auto; }
.beside th, .beside td { padding-right: 13px; }
.beside th:last-child, .beside td:last-child { padding-right: 2px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 0 0 8px; padding: 0; font-size: 13px; list-style: none; }
.legend li { display: flex; align-items: center; gap: 7px; }
.tip { position: fixed; top: 0; left: 0; z-index: 1; padding: 5px 9px; border: 1px solid var(--rule); border-radius: 4px; background: var(--panel); box-shadow: 0 1px 5px rgb(0 0 0 / .18); font-size: 12.5px; line-height: 1.4; white-space: pre; pointer-events: none; }
.save { padding: 0 6px; border: 1px solid var(--rule); border-radius: 3px; background: none; color: var(--quiet); cursor: pointer; font: 11.5px/1.5 system-ui, sans-serif; }
.save:hover, .save:focus-visible { border-color: var(--quiet); color: var(--ink); }
figcaption .save, caption .save { float: right; margin-left: 14px; }
.switch { display: flex; align-items: center; gap: 5px; margin: 0 0 8px; font-size: 13px; }
.switch span { margin-right: 6px; color: var(--quiet); }
.switch label { margin-right: 8px; }
.switch:has(#loss-linear:checked) ~ figure .panel.log, .switch:has(#loss-log:checked) ~ figure .panel.linear { display: none; }
figure.window { display: none; }
figure.window-whole { display: block; }
.windows:has(.window-first:checked) ~ .window-first, .windows:has(.window-typical:checked) ~ .window-typical, .windows:has(.window-last:checked) ~ .window-last { display: block; }
figure + .switch, figure + figure, .scroll + figure { margin-top: 20px; }
@media (max-width: 760px) {
  main, footer { padding: 0 18px; }
  table { font-size: 12.5px; }
  th, td { padding-right: 11px; }
  th.number { white-space: normal; }
  .panels, .beside { grid-template-columns: minmax(0, 1fr); }
  .drawings.wide { overflow-x: auto; ${moreBeside} }
  .drawings.wide svg { max-width: none; }
}
@media print {
  html { font-size: 10pt; }
  main, footer { max-width: none; padding: 0; }
  section { margin-top: 22px; }
  figure, tr, .headline { break-inside: avoid; }
  h2 { break-after: avoid; }
  .switch, .filter, .tip, .save { display: none; }
  .scroll, .drawings.wide { overflow: visible; background: none; }
  .drawings.wide svg { max-width: 100%; }
  table { font-size: 9pt; }
  table.dense { font-size: 7pt; }
  th, td { padding-right: 11px; }
  table.dense th, table.dense td { padding-right: 6px; }
  th.number { white-space: normal; }
  td.number, td.text { white-space: normal; }
  .panels { grid-template-columns: 1fr 1fr; }
  .beside { grid-template-columns: 1fr 1fr; }
  .panels svg text { font-size: 14px; }
}`;

export const style: string = [colourStyle, text, tables, figures, drawingStyle].join("\n");
