// What the nodes did when: how their time divides over the whole run, and Gantt charts of it or of some of its exchanges.

import { sum } from "d3-array";
import {
  type ActivityKind,
  type ActivitySpan,
  activitiesOf,
  type TimeWindow,
  timeWindows,
} from "../activity.ts";
import { formatCount } from "../format.ts";
import { nodesOf, timeName } from "../run.ts";
import { activityAreas, PROFILE_COLUMNS, presentKinds } from "./figure/activityAreas.ts";
import { activityClass, activityLanes, type Moments } from "./figure/activityLanes.ts";
import { evenly } from "./figure/downsample.ts";
import { figure } from "./figure/figure.ts";
import type { LegendEntry } from "./figure/legend.ts";
import { type Content, html, type Markup } from "./html.ts";
import { keyed, type ReportedRun } from "./reportedRun.ts";
import { runByRun, section } from "./section.ts";
import { emptyState } from "./table.ts";

/** With more nodes, lanes are those of some. */
const MOST_LANES = 24;
/** Beside other runs each has fewer. */
const LANES_OF_SEVERAL = 8;

export function timelineSection(runs: readonly ReportedRun[]): Markup {
  const lanes = runs.length === 1 ? MOST_LANES : LANES_OF_SEVERAL;
  return section(
    "timeline",
    "Timeline",
    runByRun(runs, (run) => timelineOf(run, lanes)),
  );
}

function timelineOf(run: ReportedRun, mostLanes: number): Content {
  const windows = timeWindows(run);
  const ranks = shownRanks(run, mostLanes);
  const activities = activitiesOf(run, { columns: PROFILE_COLUMNS, ranks, windows });
  if (activities === null) return emptyState("No time passed, so no node did anything.");
  const { profile, lanes } = activities;
  const kinds = presentKinds(profile);
  const isPart = windows.length > 1 || ranks.length < nodesOf(run);
  return [
    isPart
      ? figure({
          name: keyed("timeline-profile", run),
          title: `What the nodes of ${run.name} did over the run`,
          legend: kindLegend(kinds),
          panels: [activityAreas(profile, timeName(run))],
          caption: [
            `How the time of ${nodeCount(nodesOf(run))} divides over the run, all of it. `,
            exactness(run),
          ],
        })
      : null,
    windowSwitch(run, windows),
    windows.map((window, i) => windowFigure(run, window, { ranks, spans: lanes[i]! })),
  ];
}

const nodeCount = (nodes: number): string => (nodes === 1 ? "the node" : `all ${formatCount(nodes)} nodes`);

const kindLegend = (kinds: readonly ActivityKind[]): readonly LegendEntry[] =>
  kinds.map((kind) => ({ mark: { kind: "area", className: activityClass(kind) }, label: kind }));

function exactness({ faults }: ReportedRun): string | null {
  return faults.length === 0
    ? null
    : "Absent is a node that is down, left behind, or without its state; waiting holds exchanges that broke off. ";
}

/** Of many nodes some at equal distances in the order of their computing, the least and the most busy among them. */
function shownRanks(run: ReportedRun, most: number): readonly number[] {
  const nodes = nodesOf(run);
  const ranks = Array.from({ length: nodes }, (_, rank) => rank);
  if (nodes <= most) return ranks;
  const times = run.finished?.nodes ?? [];
  const busy = (rank: number): number => times[rank]?.compute ?? 0;
  const sorted = ranks.sort((a, b) => busy(a) - busy(b) || a - b);
  return evenly(nodes, most).map((i) => sorted[i]!);
}

const names: Readonly<Record<TimeWindow["name"], string>> = {
  whole: "whole run",
  first: "first exchanges",
  typical: "typical",
  last: "last",
};

/** Works without a script: the style sheet shows the window that is checked. */
function windowSwitch(run: ReportedRun, windows: readonly TimeWindow[]): Content {
  if (windows.length === 1) return null;
  const group = keyed("window", run);
  const option = ({ name }: TimeWindow): Markup =>
    html`<input type="radio" name="${group}" id="${group}-${name}" class="window-${name}" ${name === "typical" ? html`checked=""` : null}/><label for="${group}-${name}">${names[name]}</label>\n`;
  return html`<div class="switch windows" role="group" aria-label="Part of the run"><span>Part of the run</span>
${windows.map(option)}</div>`;
}

function windowFigure(
  run: ReportedRun,
  window: TimeWindow,
  {
    ranks,
    spans,
  }: { readonly ranks: readonly number[]; readonly spans: readonly (readonly ActivitySpan[])[] },
): Markup {
  const moments = momentsOf(run);
  const isShown = (time: number): boolean => time >= window.from && time <= window.until;
  const present = (kind: ActivityKind): boolean =>
    spans.some((lane) => lane.some((span) => span.kind === kind));
  const kinds = (["compute", "communication", "waiting", "absent"] as const).filter(present);
  return figure({
    name: keyed(`timeline-${window.name}`, run),
    title: `What each node of ${run.name} did when: ${names[window.name]}`,
    legend: [
      ...kindLegend(kinds),
      ...(moments.checkpoints.some(isShown)
        ? [{ mark: { kind: "checkpoint" } as const, label: "checkpoint" }]
        : []),
      ...(moments.rollBacks.some(isShown)
        ? [{ mark: { kind: "rolledBack" } as const, label: "roll-back of all nodes to a checkpoint" }]
        : []),
    ],
    panels: [
      activityLanes({
        lanes: ranks.map((rank, i) => ({ rank, spans: spans[i]! })),
        window,
        moments,
        time: timeName(run),
      }),
    ],
    className: `window window-${window.name}`,
    caption: [whichPart(window), whichNodes(run, ranks), windowShare(spans), exactness(run)],
  });
}

function momentsOf(run: ReportedRun): Moments {
  const times = new Map(run.steps.step.map((step, i) => [step, run.steps.time[i]!]));
  return {
    // All nodes stand still at a checkpoint, which takes no simulated time.
    checkpoints: run.checkpoints.flatMap(({ step }) => times.get(step) ?? []),
    rollBacks: run.faults.filter(({ kind }) => kind === "rolledBack").map(({ time }) => time),
  };
}

function whichPart({ name }: TimeWindow): string {
  switch (name) {
    case "whole":
      return "What each node did when. ";
    case "first":
      return "What each node did when, up to the end of the first four exchanges. ";
    case "typical":
      return "What each node did when, in four exchanges that took as long as the median. ";
    case "last":
      return "What each node did when, in the last four exchanges. ";
    default:
      return name satisfies never;
  }
}

function whichNodes(run: ReportedRun, ranks: readonly number[]): string | null {
  const nodes = nodesOf(run);
  return ranks.length === nodes
    ? null
    : `${formatCount(ranks.length)} of ${formatCount(nodes)} nodes, at equal distances in the order of how much they compute. `;
}

function windowShare(spans: readonly (readonly ActivitySpan[])[]): string | null {
  const all = spans.flat();
  const total = sum(all, ({ from, until }) => until - from);
  const computing = sum(all, ({ kind, from, until }) => (kind === "compute" ? until - from : 0));
  return total === 0
    ? null
    : `Here these nodes compute ${((100 * computing) / total).toFixed(1)} % of the time. `;
}
