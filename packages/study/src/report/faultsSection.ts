// The faults of a run: what was set to happen, which nodes were absent when, and the first of the events in words.
// It is left out where a run was to meet no faults and met none.

import { type FaultHappened, formatSeconds } from "@atoll/core";
import { max, rollup, sum } from "d3-array";
import { describeCounts, type Hindrance, type NodeTimeline, nodeTimelines } from "../faults.ts";
import { formatCount } from "../format.ts";
import { faultCounts, nodesOf, simulatedSeconds, timeName } from "../run.ts";
import { faultNotes } from "./faultNotes.ts";
import { faultProfile } from "./figure/faultProfile.ts";
import { absentSeconds, faultTimeline } from "./figure/faultTimeline.ts";
import { figure } from "./figure/figure.ts";
import type { LegendEntry } from "./figure/legend.ts";
import { type Content, html, type Markup } from "./html.ts";
import { keyed, type ReportedRun } from "./reportedRun.ts";
import { runByRun, section } from "./section.ts";
import { emptyState, quantity, table } from "./table.ts";

/** Above this, lanes are those of the nodes that were absent the longest, below a profile of all. */
const MOST_LANES = 24;
/** A table that is longer is not read. */
const MOST_ROWS = 20;
/** Sentences beyond this are cut; events.jsonl has them whole. */
const LONGEST_MESSAGE = 300;

const names: Readonly<Record<FaultHappened["kind"], string>> = {
  crash: "crash",
  recovered: "recovered",
  goneOn: "gone on",
  rolledBack: "rolled back",
  straggler: "straggler",
  outage: "outage",
};

export function faultsSection(runs: readonly ReportedRun[]): Content {
  const faulty = runs.filter((run) => faultCounts(run) !== null);
  if (faulty.length === 0) return null;
  const left = runs.length - faulty.length;
  const others =
    left === 0
      ? null
      : html`<p>${formatCount(left)} of ${formatCount(runs.length)} runs were to meet no faults and met none.</p>\n`;
  // One faulty run of several has to say its name.
  const body =
    faulty.length < runs.length && faulty.length === 1
      ? html`<h3>${faulty[0]!.label}</h3>${faultsOfRun(faulty[0]!)}`
      : runByRun(faulty, faultsOfRun);
  return section("faults", "Faults", [others, body]);
}

function faultsOfRun(run: ReportedRun): Content {
  const counts = faultCounts(run)!;
  const { faults, faultOptions } = run;
  const notes =
    Object.keys(faultOptions).length > 0
      ? html`<p>${faultNotes(faultOptions, nodesOf(run)).join(" ")}</p>`
      : null;
  const body =
    faults.length === 0
      ? emptyState("No node crashed or was left behind.")
      : [html`<p>${capitalized(describeCounts(counts))}.</p>\n`, figureOf(run), eventTable(run)];
  return [notes, body];
}

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function figureOf(run: ReportedRun): Content {
  const { faults } = run;
  const nodes = nodesOf(run);
  const end = Math.max(simulatedSeconds(run) ?? 0, max(faults, ({ time }) => time) ?? 0);
  if (end === 0 || nodes === 0) return null;
  const span = { end, time: timeName(run) };
  const rollBacks = faults.filter(({ kind }) => kind === "rolledBack").map(({ time }) => time);
  const timelines = nodeTimelines(faults, { nodes, end });
  const isCrowd = nodes > MOST_LANES;
  const lanes = isCrowd ? longestAbsent(timelines) : timelines;
  const isAbsent = timelines.some(({ absent }) => absent.length > 0);
  return figure({
    name: keyed("faults", run),
    title: `When nodes of ${run.name} were absent`,
    legend: legendOf(timelines, rollBacks.length > 0),
    panels: [
      ...(isCrowd && isAbsent ? [faultProfile(timelines, span)] : []),
      ...(lanes.length > 0 ? [faultTimeline(lanes, { ...span, rollBacks })] : []),
    ],
    layout: "stack",
    caption: caption(timelines, lanes, isCrowd),
  });
}

/** In rank order; where too few were absent, also those that were hindered the longest. */
const longestAbsent = (timelines: readonly NodeTimeline[]): readonly NodeTimeline[] =>
  timelines
    .map((timeline) => ({
      timeline,
      seconds: absentSeconds(timeline),
      hindered: sum(timeline.hindered, ({ from, until }) => until - from),
    }))
    .filter(({ seconds, hindered }) => seconds > 0 || hindered > 0)
    .sort((a, b) => b.seconds - a.seconds || b.hindered - a.hindered || a.timeline.rank - b.timeline.rank)
    .slice(0, MOST_LANES)
    .map(({ timeline }) => timeline)
    .sort((a, b) => a.rank - b.rank);

const wasHindered = (timelines: readonly NodeTimeline[], wanted: Hindrance): boolean =>
  timelines.some(({ hindered }) => hindered.some(({ kind }) => kind === wanted));

function legendOf(timelines: readonly NodeTimeline[], hasRollBacks: boolean): readonly LegendEntry[] {
  const has = (wanted: "down" | "behind"): boolean =>
    timelines.some(({ absent }) => absent.some(({ kind }) => kind === wanted));
  const entries: LegendEntry[] = [];
  if (has("down")) entries.push({ mark: { kind: "area", className: "area down" }, label: "down" });
  if (has("behind"))
    entries.push({
      mark: { kind: "area", className: "area behind" },
      label: "left behind, or up without its state",
    });
  if (wasHindered(timelines, "slow"))
    entries.push({ mark: { kind: "edge", className: "slow", edge: "bottom" }, label: "slow" });
  if (wasHindered(timelines, "cut"))
    entries.push({
      mark: { kind: "edge", className: "cut", edge: "top" },
      label: "some or all of its links down",
    });
  if (timelines.some(({ recoveries }) => recoveries.length > 0))
    entries.push({ mark: { kind: "recovered" }, label: "recovered from another node" });
  if (hasRollBacks)
    entries.push({ mark: { kind: "rolledBack" }, label: "roll-back of all nodes to a checkpoint" });
  return entries;
}

function caption(
  timelines: readonly NodeTimeline[],
  lanes: readonly NodeTimeline[],
  isCrowd: boolean,
): string {
  const isSlow = wasHindered(timelines, "slow");
  const isCut = wasHindered(timelines, "cut");
  const hindered = [isSlow ? "slow" : null, isCut ? "short of links" : null].filter((word) => word !== null);
  const absent = timelines.filter(({ absent: intervals }) => intervals.length > 0).length;
  const sentences = [
    isCrowd
      ? crowdCaption({
          nodes: timelines.length,
          absent,
          drawn: lanes.length,
          hindered: either(hindered),
        })
      : `When each node was ${either([...(absent > 0 || hindered.length === 0 ? ["absent"] : []), ...hindered])}.`,
    absent > 0
      ? "A node is down from its crash until it is up again, and takes part again once it has a state to go on from."
      : null,
    lanes.length > 0 ? "Shorter times than a pixel are drawn as one." : null,
    isSlow ? "A thin bar at the bottom of a lane: the node was slow." : null,
    isCut ? "A thin bar at the top: links of it were down." : null,
  ];
  return sentences.filter((sentence) => sentence !== null).join(" ");
}

/** "a", "a or b", "a, b or c" */
const either = (words: readonly string[]): string => words.join(", ").replace(/, (?=[^,]*$)/, " or ");

/** @param o.hindered what other nodes than those that were absent were, in words; "" if nothing */
function crowdCaption(o: {
  readonly nodes: number;
  readonly absent: number;
  readonly drawn: number;
  readonly hindered: string;
}): string {
  const { nodes, absent, drawn, hindered } = o;
  if (absent === 0)
    return `When nodes were ${hindered}: the ${formatCount(drawn)} that were the longest, of ${formatCount(nodes)}.`;
  const most =
    drawn < absent
      ? `the ${formatCount(drawn)} nodes that were absent the longest, of ${formatCount(absent)} that were`
      : `the nodes that were absent${drawn > absent ? `, and those that were ${hindered} the longest` : " at some time"}`;
  return `Above, how many of ${formatCount(nodes)} nodes were absent; below, ${most}.`;
}

/** By time: nodes run ahead of each other, so the log is not quite in this order. */
function eventTable(run: ReportedRun): Markup {
  const { faults } = run;
  // What only slows a run may come by the hundred: what becomes of nodes goes before it.
  const [first, then] = [false, true].map((slows) =>
    faults.filter(({ kind }) => slows === (kind === "straggler" || kind === "outage")).toSorted(byTime),
  );
  const chosen = [...first!, ...then!];
  const shown = chosen.slice(0, MOST_ROWS).toSorted(byTime);
  const left = chosen.slice(MOST_ROWS);
  const rows = shown.map(({ kind, time, message }) => [
    quantity(time, formatSeconds),
    names[kind],
    { shown: shorten(message), value: message },
  ]);
  return table({
    name: keyed("fault-events", run),
    caption:
      left.length === 0
        ? "Faults in the order of time."
        : `${whichRows(first!.length, then!.length)} ${restOf(left)}`,
    columns: [
      { label: "Time", numeric: true, unit: "s" },
      { label: "Kind" },
      { label: "What happened", wrapped: true },
    ],
    rows,
  });
}

/** @param slows how many there are that only slow a run, beside the others */
function whichRows(others: number, slows: number): string {
  if (slows === 0 || others === 0) return `The first ${MOST_ROWS} faults.`;
  if (others >= MOST_ROWS) return `The first ${MOST_ROWS} faults that are neither slow nodes nor outages.`;
  return `All faults but for slow nodes and outages, and the first ${MOST_ROWS - others} of these.`;
}

const byTime = (a: FaultHappened, b: FaultHappened): number => a.time - b.time;

function restOf(left: readonly FaultHappened[]): string {
  const kinds = rollup(
    left,
    (same) => same.length,
    ({ kind }) => kind,
  );
  const counts = [...kinds].map(([kind, count]) => `${names[kind]} ${formatCount(count)}`).join(", ");
  return `${formatCount(left.length)} more are in events.jsonl: ${counts}.`;
}

const shorten = (message: string): string => {
  const points = [...message];
  return points.length <= LONGEST_MESSAGE ? message : `${points.slice(0, LONGEST_MESSAGE - 1).join("")}…`;
};
