// What each node of a run did when, from its events: computing, communicating, waiting for others, or absent.
// The events tell when a node waited for a collective or a message, and when it was absent; what lies between is computing.
// So it is exact for runs without faults: the seconds of each kind are those of the run's own counters. Where nodes were lost,
// what they computed and was undone counts as computing, and what was sent in vain as waiting. In logs of older versions calls that overlap with computing look
// as if nodes had waited for them all the time, and waiting for messages is not seen.

import { max } from "d3-array";
import { nodeTimelines } from "./faults.ts";
import { nodesOf, type Run, simulatedSeconds } from "./run.ts";

/** In the order in which figures stack them. */
export const activityKinds = ["compute", "communication", "waiting", "absent"] as const;
export type ActivityKind = (typeof activityKinds)[number];

/** Simulated seconds. */
export interface ActivitySpan {
  readonly kind: ActivityKind;
  readonly from: number;
  readonly until: number;
}

export interface TimeWindow {
  readonly name: "whole" | "first" | "typical" | "last";
  /** Simulated seconds. */
  readonly from: number;
  readonly until: number;
}

interface Interval {
  readonly from: number;
  readonly until: number;
}

/** Calls `visit` for all that each node did, for each node in the order of time; nothing overlaps. */
export function visitActivities(run: Run, visit: (rank: number, span: ActivitySpan) => void): void {
  const nodes = nodesOf(run);
  const end = lastMoment(run);
  const clocks = new Float64Array(nodes);
  const absences = nodeTimelines(run.faults, { nodes, end }).map(({ absent }) => absent);
  /** By rank, the first absence that has not passed. */
  const next = new Uint32Array(nodes);
  const emit = (rank: number, kind: ActivityKind, from: number, until: number): void => {
    if (until > from) visit(rank, { kind, from, until });
  };
  const goOn = (rank: number, until: number): void => {
    const from = clocks[rank]!;
    if (until <= from) return;
    clocks[rank] = until;
    let at = from;
    const own = absences[rank]!;
    for (; next[rank]! < own.length; next[rank]!++) {
      const absence = own[next[rank]!]!;
      if (absence.from >= until) break;
      const start = Math.max(absence.from, at);
      const stop = Math.min(absence.until, until);
      if (stop > start) {
        emit(rank, "compute", at, start);
        emit(rank, "absent", start, stop);
        at = stop;
      }
      if (absence.until > until) break;
    }
    emit(rank, "compute", at, until);
  };
  visitWaits(run, (rank, from, ready, until) => {
    if (rank >= nodes) return;
    goOn(rank, from);
    // An old log has calls that began while an earlier one went on.
    const begin = Math.max(from, clocks[rank]!);
    const moved = Math.min(Math.max(ready, begin), Math.max(until, begin));
    emit(rank, "waiting", begin, moved);
    emit(rank, "communication", moved, until);
    clocks[rank] = Math.max(clocks[rank]!, until);
  });
  for (let rank = 0; rank < nodes; rank++) {
    goOn(rank, endOf(run, rank, end));
    // A node that is down when the run ends did nothing after it crashed.
    for (const { from, until } of absences[rank]!.slice(next[rank]))
      emit(rank, "absent", Math.max(from, clocks[rank]!), until);
  }
}

function visitWaits(
  { waits }: Run,
  visit: (rank: number, from: number, ready: number, until: number) => void,
): void {
  for (const event of waits) {
    if (event.type === "waited") visit(event.rank, event.from, event.ready, event.end);
    else {
      const lastReady = max(event.ready) ?? 0;
      event.ranks.forEach((rank, member) => {
        visit(rank, event.ready[member]!, lastReady, event.end[member]!);
      });
    }
  }
}

/** When a node stopped: what its times add up to, or else where the run stands. */
function endOf({ finished }: Run, rank: number, end: number): number {
  const times = finished?.nodes[rank];
  return times === undefined ? end : times.compute + times.communication + times.waiting;
}

const lastMoment = (run: Run): number =>
  Math.max(
    simulatedSeconds(run) ?? 0,
    max(run.faults, ({ time }) => time) ?? 0,
    max(run.waits, (event) => (event.type === "waited" ? event.end : max(event.end))) ?? 0,
  );

export interface ActivityProfile {
  /** Simulated seconds that each column covers. */
  readonly width: number;
  /** By kind, the part of all nodes' time in each column. */
  readonly shares: Readonly<Record<ActivityKind, Float64Array>>;
}

export interface Activities {
  /** How the nodes' time divides in each column. */
  readonly profile: ActivityProfile;
  /** By window, then node: what it did in that window. */
  readonly lanes: readonly (readonly (readonly ActivitySpan[])[])[];
}

export interface ActivityOptions {
  /** Equal parts of the run's time. */
  readonly columns: number;
  /** Nodes of which each window shows what they did. */
  readonly ranks: readonly number[];
  readonly windows: readonly Pick<TimeWindow, "from" | "until">[];
}

/** What the nodes did over the run, and some of them in some windows of it; null where no time has passed. */
export function activitiesOf(run: Run, { columns, ranks, windows }: ActivityOptions): Activities | null {
  const end = lastMoment(run);
  const nodes = nodesOf(run);
  if (end === 0 || nodes === 0) return null;
  const width = end / columns;
  const shares = {
    compute: new Float64Array(columns),
    communication: new Float64Array(columns),
    waiting: new Float64Array(columns),
    absent: new Float64Array(columns),
  };
  const lanes = windows.map(() => new Map(ranks.map((rank) => [rank, [] as ActivitySpan[]])));
  visitActivities(run, (rank, span) => {
    spread(shares[span.kind], width, span, 1 / (width * nodes));
    windows.forEach((window, i) => {
      const from = Math.max(span.from, window.from);
      const until = Math.min(span.until, window.until);
      if (until > from) lanes[i]!.get(rank)?.push({ kind: span.kind, from, until });
    });
  });
  return {
    profile: { width, shares },
    lanes: lanes.map((own) => ranks.map((rank) => own.get(rank)!)),
  };
}

/** Adds to each column the seconds of an interval that lie in it, times a factor. */
export function spread(
  columns: Float64Array,
  width: number,
  { from, until }: Interval,
  factor: number,
): void {
  const first = Math.min(columns.length - 1, Math.floor(from / width));
  const last = Math.min(columns.length - 1, Math.floor(until / width));
  for (let column = first; column <= last; column++) {
    const start = Math.max(from, column * width);
    // What rounding puts beyond the last column belongs to it.
    const end = column === columns.length - 1 ? until : Math.min(until, (column + 1) * width);
    if (end > start) columns[column]! += (end - start) * factor;
  }
}

/** A run of no more exchanges than these is shown whole. */
const MOST_EXCHANGES = 12;
/** Exchanges of a window of a longer run. */
const WINDOW = 4;
/** Lengths that differ by this part are as long. */
const ALIKE = 0.02;

/**
 * The windows in which a run can be looked at: the whole of a short one; of a long one the first exchanges of the node that
 * waits most often, the last ones, and those in the middle of the run whose length is the median. None where no time passed.
 */
export function timeWindows(run: Run): readonly TimeWindow[] {
  const end = lastMoment(run);
  if (end === 0) return [];
  const ends = exchangesOf(run);
  if (ends.length <= MOST_EXCHANGES) return [{ name: "whole", from: 0, until: end }];
  const starts = [0, ...ends];
  const at = (first: number): Interval => ({ from: starts[first]!, until: starts[first + WINDOW]! });
  const last = starts.length - 1 - WINDOW;
  const lengths = Array.from({ length: last + 1 }, (_, first) => at(first).until - at(first).from);
  const median = lengths.toSorted((a, b) => a - b)[Math.floor(lengths.length / 2)]!;
  // Of several that are as long, one in the middle, where a run has settled.
  const middle = lengths.length / 2;
  const order = lengths.map((_, first) => first).sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
  const typical = order.find((first) => Math.abs(lengths[first]! - median) <= ALIKE * median)!;
  return [
    { name: "first", ...at(0) },
    { name: "typical", ...at(typical) },
    { name: "last", ...at(last) },
  ];
}

/** When the exchanges of the node that waits most often ended. */
function exchangesOf(run: Run): readonly number[] {
  const counts = new Float64Array(nodesOf(run));
  visitWaits(run, (rank) => {
    counts[rank]!++;
  });
  const busiest = counts.indexOf(max(counts) ?? 0);
  const ends: number[] = [];
  visitWaits(run, (rank, _from, _ready, until) => {
    if (rank === busiest && until > (ends.at(-1) ?? 0)) ends.push(until);
  });
  return ends;
}
