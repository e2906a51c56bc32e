// The style sheet of what is inside of drawings, on the page and in figures that are saved from it.

import { contenderStyle } from "./contenders.ts";
import { heatColours } from "./palette.ts";

const heatStyle = heatColours.map((_, step) => `.heat${step} { fill: var(--heat${step}); }`).join("\n");

const drawings = `
svg text { fill: var(--ink); font-size: 11.5px; }
svg .axis text { fill: var(--quiet); }
svg .axis text.label { fill: var(--ink); font-size: 12px; }
.grid { stroke: var(--faint); fill: none; }
.baseline, .tick { stroke: var(--quiet); fill: none; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line.training { stroke: var(--training); } .line.local { stroke: var(--local); stroke-dasharray: 6 3; } .line.global { stroke: var(--global); }
.line.training, .line.undone { stroke-linecap: round; }
.line.undone { stroke: var(--quiet); stroke-width: 1.7; stroke-dasharray: .1 3; }
.line.pale { stroke-width: 1; opacity: .45; }
.line.lone { stroke-width: 7; stroke-linecap: round; stroke-dasharray: none; }
.line.other { stroke: var(--quiet); stroke-width: 1; opacity: .6; } .point.other { stroke: var(--quiet); fill: var(--quiet); }
path.target { fill: none; stroke: transparent; stroke-width: 12; pointer-events: stroke; }
.curves .panel:has(.run:hover) .run:not(:hover) { opacity: .22; }
.crowd .line { stroke-width: 1.2; }
.run:hover .line { stroke-width: 2.6; opacity: 1; }
.point { fill: var(--paper); stroke-width: 1.6; }
.point.local { stroke: var(--local); } .point.global { stroke: var(--global); fill: var(--global); }
.point.dense { opacity: 0; }
.point.dense:hover { opacity: 1; }
.gap { stroke: var(--local); stroke-width: 1.4; fill: none; }
.turn { fill: none; }
.turn.rolledBack { stroke: var(--ink); stroke-dasharray: 5 3; opacity: .75; }
.turn.goneOn { stroke: var(--down); stroke-width: 2; }
.turn.checkpoint { stroke: var(--ink); stroke-width: 1.4; stroke-dasharray: 1.5 2.5; }
.lane { fill: var(--faint); }
.down { stroke: var(--down); fill: none; } .behind { stroke: url(#hatch); fill: none; }
.area.down { fill: var(--down); stroke: none; } .area.behind { fill: url(#hatch); stroke: none; }
.slow { stroke: var(--compute); fill: none; } .cut { stroke: var(--communication); fill: none; }
.recovered { stroke: var(--good); stroke-linecap: round; fill: none; }
.compute { fill: var(--compute); } .communication { fill: var(--communication); } .waiting { fill: url(#hatch); }
.hatch rect { fill: var(--faint); } .hatch path { stroke: var(--waiting); stroke-width: 2.5; }
.link path { stroke: var(--quiet); fill: none; }
.crowded .link path:first-child { opacity: .5; }
.crowded .link:hover path:first-child { opacity: 1; }
.link path.target { stroke: transparent; stroke-width: 14; }
.link:hover path:first-child { stroke: var(--training); }
.node circle { fill: var(--panel); stroke: var(--ink); stroke-width: 1.2; }
.hairs { stroke: var(--quiet); stroke-width: .6; fill: none; }
.dots { stroke: var(--ink); stroke-linecap: round; fill: none; }
.island circle { fill: var(--panel); stroke: var(--ink); stroke-width: 1.2; }
.link-label { pointer-events: none; }
.cursor { pointer-events: none; }
.cursor path { stroke: var(--quiet); stroke-dasharray: 2 2; fill: none; }
.cursor circle { fill: var(--ink); stroke: var(--paper); }`;

export const drawingStyle: string = [drawings, heatStyle, contenderStyle].join("\n");
