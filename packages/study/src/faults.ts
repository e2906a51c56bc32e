// What the faults of a run came to, from its events: how many there were, and when each node was down or left behind.
// Faults that only slow a run (stragglers, links that are down for a while) leave no event and are not seen here.

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

/** How a node fared. Intervals are in order and do not overlap. */
export interface NodeTimeline {
  readonly rank: number;
  readonly absent: readonly AbsentInterval[];
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
      return total + (kind === "rolledBack" ? 1 : ranks.length);
    }, 0);
  const watch = followed(faults, nodes);
  return {
    nodes,
    crashes: count("crash"),
    recoveries: count("recovered"),
    rollBacks: count("rolledBack"),
    nodesLeft: watch.filter(({ open }) => open === null).length,
  };
}

/** "3 crashes, 2 recoveries, no roll-backs; 7 of 8 nodes at the end". */
export const describeCounts = (counts: FaultCounts): string =>
  `${describeHappened(counts)}; ${describeLeft(counts)} ${counts.nodes === 1 ? "node" : "nodes"} at the end`;

export const describeLeft = ({ nodesLeft, nodes }: FaultCounts): string =>
  `${formatCount(nodesLeft)} of ${formatCount(nodes)}`;

export function describeHappened({ crashes, recoveries, rollBacks }: FaultCounts): string {
  const some = (count: number, one: string, many: string): string =>
    count === 1 ? `1 ${one}` : `${count === 0 ? "no" : formatCount(count)} ${many}`;
  return [
    some(crashes, "crash", "crashes"),
    some(recoveries, "recovery", "recoveries"),
    some(rollBacks, "roll-back", "roll-backs"),
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
    return { rank: watch.rank, absent: watch.absent, recoveries: watch.recoveries, crashes: watch.crashes };
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
  readonly recoveries: number[];
  crashes: number;
  open: OpenAbsence | null;
}

function followed(faults: readonly FaultHappened[], nodes: number): readonly Watch[] {
  const watches = Array.from(
    { length: nodes },
    (_, rank): Watch => ({ rank, absent: [], recoveries: [], crashes: 0, open: null }),
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
