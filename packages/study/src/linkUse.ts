// How much links and NICs carried over a run, in bytes per second.
//
// From each recorded collective and message: every member's bytes are divided over its partners as the schedule does it
// (transferPattern.ts), laid over the topology's routes, and spread evenly over the time from the moment when the last member
// began to the moment when the last one was done. At every hop they count for the sender's NIC, the link and the receiver's NIC.
// Left out are: the rounds inside of a collective (rates of single transfers are higher than these means), packets that are
// sent again and headers, background traffic, detours around links that are down, and what went on when a collective broke
// off, which is not recorded. Capacities are those of the links as drawn; of links that follow a trace, its mean; of processes
// whose sockets nothing holds back they are not known, and count as without limit.

import type { CollectiveDone } from "@atoll/core";
import { max, sum } from "d3-array";
import { spread } from "./activity.ts";
import { type RebuiltNetwork, rebuildNetwork } from "./rebuiltNetwork.ts";
import { hasRealNetwork, nodesOf, type Run, simulatedSeconds } from "./run.ts";
import { type Flow, flowsOf } from "./transferPattern.ts";

/** One direction of a link. */
export interface LinkUse {
  readonly source: number;
  readonly target: number;
  /** Bytes per second; Infinity for none. */
  readonly capacity: number;
  readonly bytes: number;
  /** Simulated seconds in which it carried something. */
  readonly busySeconds: number;
  /** Bytes per second in each column of time. */
  readonly rates: Float64Array;
}

export interface NetworkUse {
  /** Simulated seconds that each column covers. */
  readonly width: number;
  readonly nic: RebuiltNetwork["nic"];
  /** Bytes per second that each node sent and received, by rank, in each column of time. */
  readonly up: readonly Float64Array[];
  readonly down: readonly Float64Array[];
  /** Those that carried the most for their capacity, first. */
  readonly busiest: readonly LinkUse[];
  /** Links, by direction, that carried anything. */
  readonly usedLinks: number;
}

/** Links whose rates are kept over time. */
const KEPT_LINKS = 24;
/** Hops of all collectives together beyond which counting them takes more than seconds. */
const MOST_HOPS = 5e7;

/** What one collective puts on each hop that it uses, and when. */
interface Load {
  readonly hops: readonly Hop[];
  readonly from: number;
  readonly until: number;
}

interface Hop {
  readonly source: number;
  readonly target: number;
  readonly bytes: number;
}

export type NetworkUseResult =
  | { readonly kind: "known"; readonly use: NetworkUse }
  | { readonly kind: "unknown"; readonly reason: string };

const UNLIMITED: RebuiltNetwork["nic"] = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY };

/** @param columns equal parts of the run's time */
export function networkUse(run: Run, columns: number): NetworkUseResult {
  const unknown = (reason: string): NetworkUseResult => ({ kind: "unknown", reason });
  const nodes = nodesOf(run);
  const moving = run.collectives.filter(({ bytes }) => sum(bytes) > 0);
  if (moving.length === 0) return unknown("Nothing was sent.");
  if (moving.some(({ ranks }) => ranks.some((rank) => rank >= nodes)))
    return unknown("The events name nodes that the run does not have.");
  const network = rebuildNetwork(run);
  if (network === null)
    return unknown("The run does not say enough of its network to tell which links its bytes took.");
  const loads = loadsOf(moving, network);
  if (typeof loads === "string") return unknown(loads);
  const end = Math.max(simulatedSeconds(run) ?? 0, max(loads, ({ until }) => until) ?? 0);
  if (end === 0) return unknown("No time passed.");
  const width = end / columns;
  const totals = linkTotals(loads, nodes);
  const rows = (): readonly Float64Array[] => Array.from({ length: nodes }, () => new Float64Array(columns));
  const [up, down] = [rows(), rows()];
  const capacityOf = linkCapacities(run, network);
  const busiest = [...totals.values()]
    .map((link) => ({
      ...link,
      capacity: capacityOf(link.source, link.target),
      rates: new Float64Array(columns),
    }))
    .sort((a, b) => b.bytes / b.capacity - a.bytes / a.capacity || b.bytes - a.bytes)
    .slice(0, KEPT_LINKS);
  const kept = new Map(busiest.map((link) => [link.source * nodes + link.target, link.rates]));
  for (const { hops, from, until } of loads) {
    // What takes no time counts as done within a column.
    const interval = until > from ? { from, until } : { from, until: from + width / 1e3 };
    const length = interval.until - interval.from;
    for (const { source, target, bytes } of hops) {
      const factor = bytes / length / width;
      spread(up[source]!, width, interval, factor);
      spread(down[target]!, width, interval, factor);
      const rates = kept.get(source * nodes + target);
      if (rates !== undefined) spread(rates, width, interval, factor);
    }
  }
  return {
    kind: "known",
    use: {
      width,
      nic: hasRealNetwork(run) ? UNLIMITED : network.nic,
      up,
      down,
      busiest,
      usedLinks: totals.size,
    },
  };
}

/** The loads in the order of the log, or why they are not known. */
function loadsOf(collectives: readonly CollectiveDone[], network: RebuiltNetwork): readonly Load[] | string {
  const hopsOf = hopFinder(network);
  const busyUntil = new Map<number, number>();
  const loads: Load[] = [];
  let count = 0;
  for (const event of collectives) {
    const hops = hopsOf(event);
    if (hops === null)
      return `A collective "${event.operation}" by the algorithm "${event.algorithm}" is not one that this version can lay over links.`;
    count += hops.length;
    if (count > MOST_HOPS) return "The run has too many transfers to count which links each took.";
    const { ranks, ready, end } = event;
    const until = max(end) ?? 0;
    // A call that is started while an earlier one moves bytes begins, for that rank, when that one has ended.
    const isMessage = event.operation === "send";
    const begins = isMessage ? ready : ready.map((time, i) => Math.max(time, busyUntil.get(ranks[i]!) ?? 0));
    if (!isMessage) for (const [i, rank] of ranks.entries()) busyUntil.set(rank, end[i]!);
    loads.push({ hops, from: Math.min(max(begins) ?? 0, until), until });
  }
  return loads;
}

/** Calls of the same kind among the same ranks with the same bytes take the same hops, and runs make the same few over and over. */
function hopFinder({ topology }: RebuiltNetwork): (event: CollectiveDone) => readonly Hop[] | null {
  const flows = new Map<string, readonly Flow[] | null>();
  const known = new Map<string, { readonly bytes: readonly number[]; readonly hops: readonly Hop[] }>();
  return (event) => {
    const { operation, algorithm, ranks, bytes } = event;
    const key = `${operation} ${algorithm} ${ranks.join()}`;
    const before = known.get(key);
    if (before?.bytes.every((amount, i) => amount === bytes[i])) return before.hops;
    const own = flows.get(key) ?? flowsOf(event, topology);
    if (flows.size < MOST_KEPT) flows.set(key, own);
    if (own === null) return null;
    const hops = layOver(own, event, topology);
    if (known.size < MOST_KEPT) known.set(key, { bytes, hops });
    return hops;
  };
}

/** Kinds of calls that are remembered: a run that draws new groups all the time would fill the memory. */
const MOST_KEPT = 2000;

function layOver(
  flows: readonly Flow[],
  { ranks, bytes }: CollectiveDone,
  topology: RebuiltNetwork["topology"],
): readonly Hop[] {
  const sentBy = new Map(ranks.map((rank, member) => [rank, bytes[member]!]));
  const hops = new Map<number, { source: number; target: number; bytes: number }>();
  for (const { source, target, part } of flows) {
    const amount = part * sentBy.get(source)!;
    if (amount === 0) continue;
    for (const link of topology.route(source, target)) {
      const key = link.source * topology.worldSize + link.target;
      const hop = hops.get(key);
      if (hop === undefined) hops.set(key, { source: link.source, target: link.target, bytes: amount });
      else hop.bytes += amount;
    }
  }
  return [...hops.values()];
}

type LinkTotal = Omit<LinkUse, "capacity" | "rates">;

function linkTotals(loads: readonly Load[], nodes: number): ReadonlyMap<number, LinkTotal> {
  const totals = new Map<number, { -readonly [property in keyof LinkTotal]: LinkTotal[property] }>();
  for (const { hops, from, until } of loads)
    for (const { source, target, bytes } of hops) {
      const key = source * nodes + target;
      const total = totals.get(key);
      if (total === undefined) totals.set(key, { source, target, bytes, busySeconds: until - from });
      else {
        total.bytes += bytes;
        total.busySeconds += until - from;
      }
    }
  return totals;
}

/** As the run recorded them, or else as they are drawn again. A link that is recorded once is the same both ways. */
function linkCapacities(run: Run, network: RebuiltNetwork): (source: number, target: number) => number {
  if (hasRealNetwork(run)) return () => Number.POSITIVE_INFINITY;
  const recorded = new Map<string, number>();
  for (const { source, target, bandwidth } of run.topology?.links ?? []) {
    recorded.set(`${source} ${target}`, bandwidth);
    const back = `${target} ${source}`;
    if (!recorded.has(back)) recorded.set(back, bandwidth);
  }
  return (source, target) =>
    recorded.get(`${source} ${target}`) ??
    network.topology.link(source, target)?.bandwidth ??
    Number.POSITIVE_INFINITY;
}
