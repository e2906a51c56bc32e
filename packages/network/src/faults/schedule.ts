// The faults of a run as functions of simulated time: who is down when, which links carry nothing, how slow a node is.
// Everything follows from the options and the seed, so a run meets the same faults however it is cut or resumed.

import type { ConfigTree, Random, Rank } from "@atoll/core";
import type { Outages } from "../outages.ts";
import { checkFaults, type Fault, type FaultOptions, faultConfig } from "./options.ts";
import { type Downtime, Renewal } from "./renewal.ts";

export type { Downtime } from "./renewal.ts";

/** A time in which the steps that a node begins take so many times as long. */
export interface Slowness extends Downtime {
  readonly slowdown: number;
}

/** A time in which links carry nothing: that of two nodes, all of a node, or those between groups of all nodes. */
export type LinkOutage = Downtime &
  (
    | { readonly kind: "link"; readonly nodes: readonly [Rank, Rank] }
    | { readonly kind: "node"; readonly node: Rank }
    | { readonly kind: "split"; readonly groups: readonly (readonly Rank[])[] }
  );

/** A node that is down has no links, and no others are reached through it. */
export interface FaultSchedule extends Outages {
  /** How many times as long a step takes that a node begins at a moment; 1 where it is not slow. */
  slowdown(rank: Rank, at: number): number;
  /** What makes steps slow that a node begins at a moment. */
  slowness(rank: Rank, at: number): readonly Slowness[];
  /** The outages of links that begin at a moment, which `nextChange` leads to. A crash is none. */
  outagesFrom(at: number): readonly LinkOutage[];
  /** The first time that a node is down and that ends after a moment; it may have begun before. */
  nextDowntime(rank: Rank, at: number): Downtime | undefined;
  /** Whether a node runs at a moment. */
  isRunning(rank: Rank, at: number): boolean;
  /** Whether any fault takes links away; a crash does. */
  readonly affectsLinks: boolean;
  /** Whether any does that is no crash. */
  readonly hasOutages: boolean;
  /** The faults that have no end, with the moment of their beginning. */
  readonly permanent: readonly { readonly fault: Fault; readonly from: number }[];
  /** Nothing but those: what is up at a moment once everything is over that has an end. */
  readonly lasting: FaultSchedule;
  readonly config: ConfigTree;
}

type Partition = Downtime & { readonly groupOf: (rank: Rank) => number };
type Partitions = readonly Pick<Partition, "groupOf">[];

/** A stretch of time in which nothing changes, as was found last, and what was asked about it: each link asks again. */
interface Steady extends Downtime {
  /** By node: whether it runs, with links. */
  readonly reachable: boolean[];
  partitions: Partitions | undefined;
}
const NEVER = { from: Number.POSITIVE_INFINITY, until: Number.NEGATIVE_INFINITY };

const beginOf = (fault: Fault): number => (fault.kind === "crash" ? fault.at : (fault.from ?? 0));
const endOf = (fault: Fault): number =>
  (fault.kind === "crash" ? fault.rejoin : fault.until) ?? Number.POSITIVE_INFINITY;
const within = ({ from, until }: Downtime, at: number): boolean => from <= at && at < until;

class Faults implements FaultSchedule {
  readonly affectsLinks: boolean;
  readonly hasOutages: boolean;
  readonly permanent: FaultSchedule["permanent"];
  readonly config: ConfigTree;
  readonly #options: FaultOptions;
  readonly #worldSize: number;
  readonly #random: Random;
  /** By node. */
  readonly #crashes: Downtime[][];
  readonly #churn: readonly Renewal[];
  readonly #disconnects: readonly Renewal[];
  readonly #randomPartitions: Renewal | undefined;
  readonly #partitions: readonly Partition[];
  /** By "lower higher" of the two nodes. */
  readonly #links = new Map<string, Downtime[]>();
  /** All moments that the schedule names, ascending. */
  readonly #scheduled: readonly number[];
  /** The random partition that was looked at last. */
  #split: { readonly number: number; readonly side: ReadonlySet<Rank> } = { number: -1, side: new Set() };
  #lasting: FaultSchedule | undefined;
  #steady: Steady = { ...NEVER, reachable: [], partitions: undefined };

  constructor(options: FaultOptions, worldSize: number, random: Random) {
    checkFaults(options, worldSize);
    const { schedule = [], churn, disconnects, partitions } = options;
    this.#options = options;
    this.#worldSize = worldSize;
    this.#random = random;
    this.config = faultConfig(options);
    this.permanent = schedule
      .filter((fault) => endOf(fault) === Number.POSITIVE_INFINITY && fault.kind !== "straggler")
      .map((fault) => ({ fault, from: beginOf(fault) }));
    this.hasOutages =
      schedule.some(({ kind }) => kind === "linkDown" || kind === "partition") ||
      [disconnects, partitions].some(Boolean);
    this.affectsLinks =
      this.hasOutages || churn !== undefined || schedule.some(({ kind }) => kind === "crash");
    const each = (label: string, means: FaultOptions["churn"]): readonly Renewal[] =>
      means === undefined
        ? []
        : Array.from({ length: worldSize }, (_, rank) => new Renewal(random.derive(label, rank), means));
    this.#churn = each("churn", churn);
    this.#disconnects = each("disconnect", disconnects);
    this.#randomPartitions =
      partitions === undefined ? undefined : new Renewal(random.derive("partitions"), partitions);
    this.#crashes = Array.from({ length: worldSize }, () => []);
    const split: Partition[] = [];
    for (const fault of schedule) {
      const downtime = { from: beginOf(fault), until: endOf(fault) };
      if (fault.kind === "crash") this.#crashes[fault.node]!.push(downtime);
      if (fault.kind === "linkDown") this.#addLink(linkKey(...fault.nodes), downtime);
      if (fault.kind === "partition") split.push({ ...downtime, groupOf: grouping(fault.groups) });
    }
    this.#partitions = split;
    const moments = schedule
      .filter(({ kind }) => kind !== "straggler")
      .flatMap((fault) => [beginOf(fault), endOf(fault)]);
    this.#scheduled = moments.filter(Number.isFinite).sort((a, b) => a - b);
  }

  get lasting(): FaultSchedule {
    const schedule = this.permanent.map(({ fault }) => fault);
    this.#lasting ??= new Faults({ schedule }, this.#worldSize, this.#random);
    return this.#lasting;
  }

  slowdown(rank: Rank, at: number): number {
    return this.slowness(rank, at).reduce((factor, { slowdown }) => factor * slowdown, 1);
  }

  slowness(rank: Rank, at: number): readonly Slowness[] {
    const { schedule = [], stragglers } = this.#options;
    const slow: Slowness[] = [];
    for (const fault of schedule)
      if (fault.kind === "straggler" && fault.node === rank) {
        const time = { from: beginOf(fault), until: endOf(fault) };
        if (within(time, at)) slow.push({ ...time, slowdown: fault.slowdown });
      }
    if (stragglers === undefined) return slow;
    const { probability, slowdown, interval = 1 } = stragglers;
    const number = Math.floor(at / interval);
    const draw = this.#random.derive("straggler", rank, number).uniform();
    if (draw < probability) slow.push({ from: number * interval, until: (number + 1) * interval, slowdown });
    return slow;
  }

  outagesFrom(at: number): readonly LinkOutage[] {
    const everyone = Array.from({ length: this.#worldSize }, (_, rank) => rank);
    const outages: LinkOutage[] = [];
    for (const fault of this.#options.schedule ?? []) {
      const time = { from: beginOf(fault), until: endOf(fault) };
      if (time.from !== at) continue;
      if (fault.kind === "linkDown") outages.push({ ...time, kind: "link", nodes: fault.nodes });
      if (fault.kind === "partition")
        outages.push({ ...time, kind: "split", groups: groupsOf(everyone, grouping(fault.groups)) });
    }
    this.#disconnects.forEach((renewal, node) => {
      const { from, until } = renewal.next(at);
      if (from === at) outages.push({ from, until, kind: "node", node });
    });
    const random = this.#randomPartitions?.next(at);
    if (random?.from === at) {
      const side = this.#drawSide(random.number);
      const groups = groupsOf(everyone, (rank) => (side.has(rank) ? 1 : 0));
      outages.push({ from: at, until: random.until, kind: "split", groups });
    }
    return outages;
  }

  nextDowntime(rank: Rank, at: number): Downtime | undefined {
    const candidates = (moment: number): readonly Downtime[] => {
      const crashes = this.#crashes[rank]!.filter(({ until }) => until > moment);
      const churn = this.#churn[rank];
      return churn === undefined ? crashes : [...crashes, churn.next(moment)];
    };
    const first = candidates(at).reduce<Downtime | undefined>(
      (earliest, downtime) => (earliest === undefined || downtime.from < earliest.from ? downtime : earliest),
      undefined,
    );
    if (first === undefined) return undefined;
    // A node that goes down again before it is back is down all the while.
    let { until } = first;
    for (;;) {
      if (until === Number.POSITIVE_INFINITY) break;
      const next = candidates(until).find(({ from }) => from <= until);
      if (next === undefined) break;
      until = next.until;
    }
    return { from: first.from, until };
  }

  isRunning(rank: Rank, at: number): boolean {
    const downtime = this.nextDowntime(rank, at);
    return downtime === undefined || downtime.from > at;
  }

  isUp(a: Rank, b: Rank, at: number): boolean {
    if (!this.#isReachable(a, at) || !this.#isReachable(b, at)) return false;
    if (this.#links.get(linkKey(a, b))?.some((downtime) => within(downtime, at))) return false;
    return this.#partitionsAt(at).every(({ groupOf }) => groupOf(a) === groupOf(b));
  }

  #isReachable(rank: Rank, at: number): boolean {
    if (!within(this.#steady, at)) return this.#findReachable(rank, at);
    this.#steady.reachable[rank] ??= this.#findReachable(rank, at);
    return this.#steady.reachable[rank];
  }

  #findReachable(rank: Rank, at: number): boolean {
    if (!this.isRunning(rank, at)) return false;
    const disconnect = this.#disconnects[rank]?.next(at);
    return disconnect === undefined || !within(disconnect, at);
  }

  nextChange(at: number): number {
    if (within(this.#steady, at)) return this.#steady.until;
    const scheduled = this.#scheduled.find((moment) => moment > at) ?? Number.POSITIVE_INFINITY;
    const renewals = [
      ...this.#churn,
      ...this.#disconnects,
      ...(this.#randomPartitions ? [this.#randomPartitions] : []),
    ];
    const until = renewals.reduce((earliest, renewal) => {
      const downtime = renewal.next(at);
      return Math.min(earliest, downtime.from > at ? downtime.from : downtime.until);
    }, scheduled);
    this.#steady = { from: at, until, reachable: [], partitions: undefined };
    return until;
  }

  #addLink(key: string, downtime: Downtime): void {
    const downtimes = this.#links.get(key);
    if (downtimes === undefined) this.#links.set(key, [downtime]);
    else downtimes.push(downtime);
  }

  /** The nodes on one side of a random partition; one at least is on each. */
  #drawSide(number: number): ReadonlySet<Rank> {
    const split = this.#random.derive("split", number);
    const order = split.permutation(this.#worldSize);
    const size = 1 + split.integer(Math.max(1, this.#worldSize - 1));
    return new Set(order.subarray(0, size));
  }

  #partitionsAt(at: number): Partitions {
    if (!within(this.#steady, at)) return this.#findPartitions(at);
    this.#steady.partitions ??= this.#findPartitions(at);
    return this.#steady.partitions;
  }

  #findPartitions(at: number): Partitions {
    const scheduled = this.#partitions.filter((partition) => within(partition, at));
    const random = this.#randomPartitions?.next(at);
    if (random === undefined || !within(random, at)) return scheduled;
    const { number } = random;
    if (this.#split.number !== number) this.#split = { number, side: this.#drawSide(number) };
    const { side } = this.#split;
    return [...scheduled, { groupOf: (rank) => (side.has(rank) ? 1 : 0) }];
  }
}

const linkKey = (a: Rank, b: Rank): string => `${Math.min(a, b)} ${Math.max(a, b)}`;

/** The groups of all nodes, as far as there are nodes in them, by their lowest. */
function groupsOf(nodes: readonly Rank[], groupOf: (rank: Rank) => number): readonly (readonly Rank[])[] {
  const groups = new Map<number, Rank[]>();
  for (const rank of nodes) {
    const group = groups.get(groupOf(rank));
    if (group === undefined) groups.set(groupOf(rank), [rank]);
    else group.push(rank);
  }
  return [...groups.values()];
}

/** The number of a node's group; 0 for the rest. */
function grouping(groups: readonly (readonly Rank[])[]): (rank: Rank) => number {
  const numbers = new Map(groups.flatMap((group, i) => group.map((rank) => [rank, i + 1] as const)));
  return (rank) => numbers.get(rank) ?? 0;
}

/**
 * @param world.random the stream that random faults are drawn from
 * @throws ConfigError that names the option if a node is unknown, a time negative or an interval empty
 */
export function createFaultSchedule(
  options: FaultOptions,
  { worldSize, random }: { readonly worldSize: number; readonly random: Random },
): FaultSchedule {
  return new Faults(options, worldSize, random);
}
