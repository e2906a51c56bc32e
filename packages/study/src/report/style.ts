// The report's style sheet. Colours follow the palette of Okabe and Ito ("Color universal design", 2008), its green
// darker or lighter than theirs for contrast, and lighter members on a dark page.
// Series differ in dash and marker too, and waiting is hatched, so that print and grey show them.

import { contenderStyle } from "./figure/contenders.ts";

const colours = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1c1e; --quiet: #5b6068; --rule: #d6d9de; --faint: #eceef1; --panel: #f6f7f8;
  --training: #0072b2; --local: #d55e00; --global: #007a59;
  --compute: #0072b2; --communication: #e69f00; --waiting: #a9aeb6;
  --good: #007a59; --bad: #b84a00; --down: #d55e00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a; --ink: #e4e6e9; --quiet: #a2a8b0; --rule: #3a3e45; --faint: #25282d; --panel: #1d2024;
    --training: #56b4e9; --local: #e69f00; --global: #22c595;
    --compute: #56b4e9; --communication: #e69f00; --waiting: #666d77;
    --good: #22c595; --bad: #f0a35e; --down: #e8743b;
  }
}
@media print {
  :root {
    --paper: #ffffff; --ink: #000000; --quiet: #444444; --rule: #bbbbbb; --faint: #e5e5e5; --panel: #ffffff;
    --training: #0072b2; --local: #d55e00; --global: #007a59;
    --compute: #0072b2; --communication: #e69f00; --waiting: #a9aeb6;
    --good: #007a59; --bad: #b84a00; --down: #d55e00;
  }
}`;

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
section { margin-top: 44px; padding-top: 18px; border-top: 1px solid var(--rule); }
p { margin: 0 0 10px; max-width: 78ch; }
code, pre, .options { font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; font-size: 13px; }
.outcome { overflow-wrap: anywhere; }
.badge { display: inline-block; margin-right: 4px; padding: 0 9px; border: 1px solid currentColor; border-radius: 10px; font-size: 13px; line-height: 20px; }
.completed .badge { color: var(--good); }
.failed .badge, .interrupted .badge { color: var(--bad); }
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

const tables = `
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 6px 0 12px; font-size: 13.5px; }
caption { counter-increment: table; caption-side: top; max-width: 78ch; padding: 0 0 8px; color: var(--quiet); font-size: 13px; text-align: left; }
caption::before { content: "Table " counter(table) ". "; color: var(--ink); font-weight: 600; }
thead th { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); font-weight: 600; }
tbody tr:last-child > * { border-bottom: 1.5px solid var(--ink); }
th, td { padding: 3px 22px 3px 0; text-align: left; vertical-align: top; }
th.number, td.number { text-align: right; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 4px; }
td.text { white-space: nowrap; }
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
svg { display: block; max-width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--ink); font-size: 11.5px; }
svg .axis text { fill: var(--quiet); }
svg .axis text.label { fill: var(--ink); font-size: 12px; }
.grid { stroke: var(--faint); fill: none; }
.baseline, .tick { stroke: var(--quiet); fill: none; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px 24px; }
.panels > svg { width: 100%; }
.panels > .nothing { display: flex; align-items: center; justify-content: center; min-height: 200px; padding: 0 40px; border: 1px dashed var(--rule); text-align: center; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px 32px; align-items: center; }
.beside svg { margin: 0 auto; }
.beside th, .beside td { padding-right: 13px; }
.beside th:last-child, .beside td:last-child { padding-right: 2px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 0 0 8px; padding: 0; font-size: 13px; list-style: none; }
.legend li { display: flex; align-items: center; gap: 7px; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line.training { stroke: var(--training); } .line.local { stroke: var(--local); stroke-dasharray: 6 3; } .line.global { stroke: var(--global); }
.line.training, .line.undone { stroke-linecap: round; }
.line.undone { stroke: var(--quiet); stroke-width: 1.7; stroke-dasharray: .1 3; }
.line.pale { stroke-width: 1; opacity: .45; }
.point { fill: var(--paper); stroke-width: 1.6; }
.point.local { stroke: var(--local); } .point.global { stroke: var(--global); fill: var(--global); }
.point.dense { opacity: 0; }
.point.dense:hover { opacity: 1; }
.gap { stroke: var(--local); stroke-width: 1.4; fill: none; }
.turn { fill: none; }
.turn.rolledBack { stroke: var(--ink); stroke-dasharray: 5 3; opacity: .75; }
.turn.goneOn { stroke: var(--down); stroke-width: 2; }
.lane { fill: var(--faint); }
.down { stroke: var(--down); fill: none; } .behind { stroke: url(#hatch); fill: none; }
.area.down { fill: var(--down); stroke: none; } .area.behind { fill: url(#hatch); stroke: none; }
.recovered { stroke: var(--good); stroke-linecap: round; fill: none; }
.compute { fill: var(--compute); } .communication { fill: var(--communication); } .waiting { fill: url(#hatch); }
.hatch { position: absolute; } .hatch rect { fill: var(--faint); } .hatch path { stroke: var(--waiting); stroke-width: 2.5; }
.link path { stroke: var(--quiet); fill: none; }
.crowded .link path:first-child { opacity: .5; }
.crowded .link:hover path:first-child { opacity: 1; }
.link path.target { stroke: transparent; stroke-width: 14; }
.link:hover path:first-child { stroke: var(--training); }
.node circle { fill: var(--panel); stroke: var(--ink); stroke-width: 1.2; }
.link-label { pointer-events: none; }
.cursor { pointer-events: none; }
.cursor path { stroke: var(--quiet); stroke-dasharray: 2 2; fill: none; }
.cursor circle { fill: var(--ink); stroke: var(--paper); }
.tip { position: fixed; top: 0; left: 0; z-index: 1; padding: 5px 9px; border: 1px solid var(--rule); border-radius: 4px; background: var(--panel); box-shadow: 0 1px 5px rgb(0 0 0 / .18); font-size: 12.5px; line-height: 1.4; white-space: pre; pointer-events: none; }
.switch { display: flex; align-items: center; gap: 5px; margin: 0 0 8px; font-size: 13px; }
.switch span { margin-right: 6px; color: var(--quiet); }
.switch label { margin-right: 8px; }
.switch:has(#loss-linear:checked) ~ figure .panel.log, .switch:has(#loss-log:checked) ~ figure .panel.linear { display: none; }
@media (max-width: 760px) {
  main, footer { padding: 0 18px; }
  table { font-size: 12.5px; }
  th, td { padding-right: 11px; }
  th.number { white-space: normal; vertical-align: bottom; }
  .panels, .beside { grid-template-columns: minmax(0, 1fr); }
}
@media print {
  html { font-size: 10pt; }
  main, footer { max-width: none; padding: 0; }
  section { margin-top: 22px; }
  figure, tr, .headline { break-inside: avoid; }
  h2 { break-after: avoid; }
  .switch, .filter, .tip { display: none; }
  .scroll { overflow: visible; }
  table { font-size: 9pt; }
  th, td { padding-right: 11px; }
  th.number { white-space: normal; vertical-align: bottom; }
  .panels { grid-template-columns: 1fr 1fr; }
  .beside { grid-template-columns: 1fr 1fr; }
  .panels svg text { font-size: 14px; }
}`;

export const style: string = [colours, text, tables, figures, contenderStyle].join("\n");
