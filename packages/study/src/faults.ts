// What the faults of a run came to, from its events: how many there were, when each node was down or left behind, and when
// it was slow or its links were down. Logs of older versions do not tell of the latter.

import type { FaultHappened, RunEvent } from "@atoll/core";
import { formatCount } from "./format.ts";

/** What a node was while it did not take part: crashed, or running without being with the others. */
export type Absence = "down" | "behind";

export interface AbsentInterval {
  readonly kind: Absence;
  /** Simulated seconds. */
  readonly from: number;
  readonly until: number;
}

/** What hindered a node that may have taken part all the same: its steps took longer, or links of it were down. */
export type Hindrance = "slow" | "cut";

export interface HinderedInterval {
  readonly kind: Hindrance;
  /** Simulated seconds. */
  readonly from: number;
  readonly until: number;
}

/** How a node fared. */
export interface NodeTimeline {
  readonly rank: number;
  /** In order; they do not overlap. */
  readonly absent: readonly AbsentInterval[];
  /** As they were told: they may overlap. */
  readonly hindered: readonly HinderedInterval[];
  /** When it was with the others again by another node's state, in simulated seconds. */
  readonly recoveries: readonly number[];
  readonly crashes: number;
}

/** The figures that a run is summed up by. */
export interface FaultCounts {
  readonly nodes: number;
  readonly crashes: number;
  readonly recoveries: number;
  readonly rollBacks: number;
  /** Times in which a node was slow. */
  readonly stragglers: number;
  /** Times in which links were down but for crashes. */
  readonly outages: number;
  /** Nodes that take part at the end. */
  readonly nodesLeft: number;
}

const isFault = (event: RunEvent): event is FaultHappened => event.type === "fault";

/** The faults of a run in the order in which they were written; their times may lie a little apart from it. */
export const faultsOf = (events: readonly RunEvent[]): readonly FaultHappened[] => events.filter(isFault);

/** Counts of a run among `nodes` nodes. A roll-back counts once, whatever it undid; crashes that it undid still count. */
export function countFaults(faults: readonly FaultHappened[], nodes: number): FaultCounts {
  const count = (wanted: FaultHappened["kind"]): number =>
    faults.reduce((total, { kind, ranks }) => {
      if (kind !== wanted) return total;
      return total + (kind === "rolledBack" || kind === "outage" ? 1 : ranks.length);
    }, 0);
  const watch = followed(faults, nodes);
  return {
    nodes,
    crashes: count("crash"),
    recoveries: count("recovered"),
    rollBacks: count("rolledBack"),
    stragglers: count("straggler"),
    outages: count("outage"),
    nodesLeft: watch.filter(({ open }) => open === null).length,
  };
}

/** "3 crashes, 2 recoveries, no roll-backs, 1 straggler; 7 of 8 nodes at the end"; the last two if there are any. */
export const describeCounts = (counts: FaultCounts): string =>
  `${describeHappened(counts)}; ${describeLeft(counts)} ${counts.nodes === 1 ? "node" : "nodes"} at the end`;

export const describeLeft = ({ nodesLeft, nodes }: FaultCounts): string =>
  `${formatCount(nodesLeft)} of ${formatCount(nodes)}`;

export function describeHappened(counts: FaultCounts): string {
  const { crashes, recoveries, rollBacks, stragglers, outages } = counts;
  const some = (count: number, one: string, many: string): string =>
    count === 1 ? `1 ${one}` : `${count === 0 ? "no" : formatCount(count)} ${many}`;
  return [
    some(crashes, "crash", "crashes"),
    some(recoveries, "recovery", "recoveries"),
    some(rollBacks, "roll-back", "roll-backs"),
    ...(stragglers > 0 ? [some(stragglers, "straggler", "stragglers")] : []),
    ...(outages > 0 ? [some(outages, "outage", "outages")] : []),
  ].join(", ");
}

/**
 * When each node was absent.
 * @param end simulated seconds up to which an absence goes on that has no end
 */
export function nodeTimelines(
  faults: readonly FaultHappened[],
  { nodes, end }: { readonly nodes: number; readonly end: number },
): readonly NodeTimeline[] {
  return followed(faults, nodes).map((watch) => {
    close(watch, end);
    const { rank, absent, recoveries, crashes } = watch;
    const hindered = watch.hindered
      .map(({ kind, from, until }) => ({ kind, from, until: Math.min(until, end) }))
      .filter(({ from, until }) => until > from);
    return { rank, absent, hindered, recoveries, crashes };
  });
}

interface OpenAbsence {
  readonly kind: Absence;
  readonly from: number;
  /** When a node that is down is up again, Infinity for never; null if it is not known. */
  readonly up: number | null;
}

/** A node as its events are read. */
interface Watch {
  readonly rank: number;
  readonly absent: AbsentInterval[];
  readonly hindered: HinderedInterval[];
  readonly recoveries: number[];
  crashes: number;
  open: OpenAbsence | null;
}

function followed(faults: readonly FaultHappened[], nodes: number): readonly Watch[] {
  const watches = Array.from(
    { length: nodes },
    (_, rank): Watch => ({ rank, absent: [], hindered: [], recoveries: [], crashes: 0, open: null }),
  );
  for (const fault of faults) follow(watches, fault);
  return watches;
}

function follow(watches: readonly Watch[], fault: FaultHappened): void {
  const { kind, time, ranks } = fault;
  const those = ranks.flatMap((rank) => watches[rank] ?? []);
  switch (kind) {
    case "crash":
      for (const watch of those) {
        close(watch, time);
        watch.crashes++;
        watch.open = { kind: "down", from: time, up: upAgain(fault) };
      }
      return;
    case "recovered":
      for (const watch of those) {
        close(watch, time);
        watch.recoveries.push(time);
      }
      return;
    case "goneOn": {
      const missing = new Set(ranks);
      for (const watch of watches) {
        if (missing.has(watch.rank)) watch.open ??= { kind: "behind", from: time, up: null };
        else if (watch.open?.kind === "behind") close(watch, time);
      }
      return;
    }
    case "rolledBack":
      // All nodes that run then begin anew together; the others stay down.
      for (const watch of watches) if (!isStillDown(watch, fault)) close(watch, time);
      return;
    case "straggler":
    case "outage": {
      const until = upAgain(fault) ?? Number.POSITIVE_INFINITY;
      for (const { hindered } of those)
        hindered.push({ kind: kind === "outage" ? "cut" : "slow", from: time, until });
      return;
    }
    default:
      kind satisfies never;
  }
}

/** An older log does not say when a node is up again. */
const upAgain = ({ until }: FaultHappened): number | null =>
  until === undefined ? null : (until ?? Number.POSITIVE_INFINITY);

const isStillDown = ({ open }: Watch, { time }: FaultHappened): boolean =>
  open?.kind === "down" && open.up !== null && open.up > time;

/** Ends what a node is absent for: it was down until it was up, and behind from then on. */
function close(watch: Watch, at: number): void {
  const { open, absent } = watch;
  watch.open = null;
  if (open === null) return;
  // Nodes run ahead of each other: one may be missed at a time that its recovery, written before, lies after.
  const from = Math.max(open.from, absent.at(-1)?.until ?? 0);
  const up = open.kind === "down" ? Math.min(open.up ?? at, at) : from;
  if (up > from) absent.push({ kind: "down", from, until: up });
  const back = Math.max(up, from);
  if (at > back) absent.push({ kind: "behind", from: back, until: at });
}
