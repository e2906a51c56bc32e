// The simulated network: links of a topology, drawn from the seed, that time transfers and whole schedules.
// It knows nothing of the clock or of what the bytes mean. Transfers of one call share what they meet on. Of several calls
// each is timed as if the network were otherwise idle, unless they are said to go on among each other: then a later one gets
// what earlier ones leave (occupancy.ts).

import {
  type Bytes,
  ConfigError,
  type ConfigTree,
  invariant,
  type Random,
  type Rank,
  RunError,
  type Seconds,
  seconds,
  type TopologyDrawn,
} from "@atoll/core";
import { timeWhileChanging } from "./changingTimes.ts";
import { Course } from "./course.ts";
import { Detours } from "./detours.ts";
import { estimateTime } from "./estimate.ts";
import { FlowSimulation } from "./flows.ts";
import { createLinkTable, type Link } from "./link.ts";
import { hasChangingLinks, type LinkCapacity, linkCapacity } from "./linkCapacity.ts";
import { Occupancy, type Take } from "./occupancy.ts";
import {
  configOf,
  hasEndingTrace,
  linkSource,
  type NetworkOptions,
  type Nic,
  type ResolvedNetwork,
  resolveOptions,
  type TraceLookup,
} from "./options.ts";
import type { Outages } from "./outages.ts";
import { Path, type PathSnapshot } from "./path.ts";
import { isUncontended, timeByRecurrence } from "./recurrence.ts";
import { type TransferFlow, timeByFlows } from "./replay.ts";
import type { TransferSchedule } from "./schedule.ts";
import { type Steps, scaled } from "./steps.ts";
import { usableCapacity } from "./tcp.ts";
import { createTopology } from "./topology/index.ts";
import type { Topology } from "./topology/topology.ts";
import { Trials } from "./trials.ts";

/** What paths remember, by sender and receiver: all that a network remembers. JSON. */
export type NetworkSnapshot = { readonly [source: string]: { readonly [target: string]: PathSnapshot } };

export interface Network {
  readonly topology: Topology;
  /** Every option, resolved: for config.json. */
  readonly config: ConfigTree;
  /** Bytes per second that each node sends and receives at most, in all. */
  readonly nic: Nic;
  /** Whether links follow bandwidth traces that end: what is sent after it ends in a TraceEndedError. */
  readonly hasEndingTrace: boolean;
  /** When a message of `size` bytes sent at `at` has arrived whole. */
  transfer(source: Rank, target: Rank, size: Bytes, at: Seconds): Seconds;
  /** The same, and when its last byte has left, from when on the sender's line is free for the next message. */
  send(source: Rank, target: Rank, size: Bytes, at: Seconds, options?: CallOptions): Sending;
  /** When each member of a schedule is done, given when each is ready; both in the order of `schedule.ranks`. */
  time(schedule: TransferSchedule, ready: readonly Seconds[], options?: TimeOptions): readonly Seconds[];
  /**
   * About how long a schedule takes from scratch, without a draw: as if all members began each round together, each round
   * takes its longest latency and the time of its most loaded link, NIC or window. Of many rounds the first ones stand for
   * all.
   */
  estimate(schedule: TransferSchedule): Seconds;
  /**
   * How long a schedule takes on average, to choose between schedules for the same members: among few it is tried out, with
   * draws that are not the run's; among many it is the estimate.
   */
  tryOut(schedule: TransferSchedule): Seconds;
  /** The event that tells a report about the links; they are left out above 64 nodes. */
  describe(): TopologyDrawn;
  snapshot(): NetworkSnapshot;
  restore(snapshot: NetworkSnapshot): void;
}

export interface CallOptions {
  /**
   * What other calls take, to be noted there for later ones: calls with the same occupancy go on among each other. Default:
   * the call meets nobody.
   */
  readonly among?: Occupancy | undefined;
}

export interface TimeOptions extends CallOptions {
  /**
   * When each member is lost, Infinity for never. With the first that is lost before it is done the schedule is not carried
   * out any further, and a network that changes gives Infinity for those that are not done. Default: nobody is lost.
   */
  readonly losses?: readonly number[] | undefined;
}

export interface Sending {
  readonly left: Seconds;
  readonly arrived: Seconds;
}

const DESCRIBED_NODES = 64;

const NOBODY = new Occupancy();

class SimulatedNetwork implements Network {
  readonly topology: Topology;
  readonly config: ConfigTree;
  readonly hasEndingTrace: boolean;
  readonly nic: Nic;
  readonly #resolved: ResolvedNetwork;
  readonly #traceOf: TraceLookup;
  readonly #random: Random;
  /** By sender, then receiver. */
  readonly #paths: (Map<Rank, Path> | undefined)[] = [];
  /** Bytes per second by resource number: link directions and NIC directions, as far as paths use them. */
  readonly #capacities: number[] = [];
  /** By resource number, for capacities that change over time, of which the number above is the mean. */
  readonly #steps: (Steps | undefined)[] = [];
  readonly #courses = new Map<Path, Course>();
  /** Where nothing changes over time no time goes into asking. */
  readonly #isChanging: boolean;
  /** What others take during the present call. */
  readonly #present: { occupancy: Occupancy } = { occupancy: NOBODY };
  readonly #detours: Detours | undefined;
  readonly #trials: Trials;
  /** Used again by one schedule after another: what it knows of each capacity is much for a small one. */
  #simulation: FlowSimulation<TransferFlow> | undefined;
  /** By key: nodes' lines up, then their lines down, then link directions by sender and receiver. */
  readonly #resourceNumbers = new Map<number, number>();
  /** Whether a schedule is free of contention is found out once, and so are the capacities that it takes. */
  readonly #uncontended = new WeakMap<TransferSchedule, boolean>();
  readonly #resourcesOf = new WeakMap<TransferSchedule, readonly number[]>();

  constructor(resolved: ResolvedNetwork, { worldSize, random, outages }: NetworkWorld) {
    this.#resolved = resolved;
    this.#random = random;
    const links = linkSource(resolved);
    this.#traceOf = links.traceOf;
    const table = createLinkTable(links, worldSize, random);
    this.topology = createTopology(resolved.topology, table);
    for (const { from, to } of resolved.given)
      if (this.topology.link(from, to) === undefined)
        throw new ConfigError(
          `Option "network.links": nodes ${from} and ${to} share no link in the topology ${this.topology.name}.`,
        );
    this.config = configOf(resolved);
    this.nic = resolved.nic;
    this.hasEndingTrace = hasEndingTrace(resolved);
    this.#detours = outages && new Detours(this.topology, outages);
    this.#isChanging = outages !== undefined || hasChangingLinks(resolved);
    const trials = random.derive("trials");
    this.#trials = new Trials({
      createPath: (source, target) =>
        this.#pathOver(source, target, this.topology.route(source, target), trials),
      capacities: this.#capacities,
    });
  }

  transfer(source: Rank, target: Rank, size: Bytes, at: Seconds): Seconds {
    return this.send(source, target, size, at).arrived;
  }

  send(source: Rank, target: Rank, size: Bytes, at: Seconds, { among }: CallOptions = {}): Sending {
    const path = this.#path(source, target);
    if (this.#isChanging || among?.isFree(path.resources, at) === false) {
      this.#present.occupancy = among ?? NOBODY;
      return this.#course(source, target).send(size, at, among?.take);
    }
    const drawn = path.draw(size, at);
    const onWire = drawn.size / Math.min(path.rate, drawn.limit);
    const arrived = seconds(at + drawn.delay + onWire);
    among?.take(path.resources, at + drawn.delay, arrived, drawn.size);
    return { left: seconds(at + onWire), arrived };
  }

  tryOut(schedule: TransferSchedule): Seconds {
    return this.#trials.canTry(schedule) ? this.#trials.time(schedule) : this.estimate(schedule);
  }

  estimate(schedule: TransferSchedule): Seconds {
    return estimateTime(schedule, this.#path, this.#capacities);
  }

  time(
    schedule: TransferSchedule,
    ready: readonly Seconds[],
    { losses, among }: TimeOptions = {},
  ): readonly Seconds[] {
    invariant(
      ready.length === schedule.ranks.length,
      `${ready.length} ready times for ${schedule.ranks.length} members`,
    );
    const unready = ready.findIndex(Number.isNaN);
    invariant(unready === -1, `member ${unready} of a schedule is ready at no time (NaN)`);
    let uncontended = this.#uncontended.get(schedule);
    if (uncontended === undefined) {
      const wrong = schedule.chunkBytes.findIndex((size) => !(size >= 0 && size < Number.POSITIVE_INFINITY));
      invariant(wrong === -1, `chunk ${wrong} of a schedule has ${schedule.chunkBytes[wrong]} bytes`);
      uncontended = isUncontended(schedule, this.#path);
      this.#uncontended.set(schedule, uncontended);
    }
    return Array.from(this.#times(schedule, ready, { uncontended, losses, among }), seconds);
  }

  #times(
    schedule: TransferSchedule,
    ready: readonly Seconds[],
    { uncontended, losses, among }: TimeOptions & { readonly uncontended: boolean },
  ): Float64Array {
    // What its own transfers take is noted when all are timed: among themselves they share.
    const pieces: Parameters<Take>[] = [];
    const take: Take | undefined = among && ((...piece) => pieces.push(piece));
    let times: Float64Array;
    if (this.#isChanging || (among !== undefined && !this.#isFree(schedule, ready, among))) {
      this.#present.occupancy = among ?? NOBODY;
      times = timeWhileChanging({
        schedule,
        ready,
        uncontended,
        course: this.#course,
        detours: this.#detours,
        losses,
        take,
      });
    } else if (uncontended) times = timeByRecurrence(schedule, ready, this.#path, take);
    else times = this.#timeByFlows(schedule, ready, take);
    const until = (losses ?? []).reduce(
      (first, loss, member) => (times[member] === Number.POSITIVE_INFINITY ? Math.min(first, loss) : first),
      Number.POSITIVE_INFINITY,
    );
    for (const [resources, from, to, size] of pieces) {
      // What would come later is not carried out any more.
      const end = Math.min(to, until);
      among?.take(resources, from, end, (size * (end - from)) / (to - from));
    }
    return times;
  }

  #timeByFlows(schedule: TransferSchedule, ready: readonly Seconds[], take: Take | undefined): Float64Array {
    const simulation = this.#simulation ?? new FlowSimulation(this.#capacities);
    // After an error something may be left in it.
    this.#simulation = undefined;
    const times = timeByFlows(schedule, ready, this.#path, simulation, take);
    this.#simulation = simulation;
    return times;
  }

  /** Whether no other call takes anything of what a schedule does once its members are ready. */
  #isFree(schedule: TransferSchedule, ready: readonly Seconds[], among: Occupancy): boolean {
    const begin = ready.reduce((earliest, time) => Math.min(earliest, time), Number.POSITIVE_INFINITY);
    if (among.isOver(begin)) return true;
    let resources = this.#resourcesOf.get(schedule);
    if (resources === undefined) {
      const { ranks, rounds } = schedule;
      const all = new Set<number>();
      for (const { sources, targets } of rounds())
        for (let i = 0; i < sources.length; i++)
          for (const resource of this.#path(ranks[sources[i]!]!, ranks[targets[i]!]!).resources)
            all.add(resource);
      resources = [...all];
      this.#resourcesOf.set(schedule, resources);
    }
    return among.isFree(resources, begin);
  }

  describe(): TopologyDrawn {
    const { name, worldSize } = this.topology;
    const links =
      worldSize > DESCRIBED_NODES ? [] : Array.from(this.topology.links()).flatMap(this.#directions);
    return { type: "topology", topology: name, profile: this.#resolved.profile, nodes: worldSize, links };
  }

  /** A link, and its way back if that has other values. */
  readonly #directions = (link: Link): readonly Link[] => {
    const back = this.topology.link(link.target, link.source)!;
    const same = (["bandwidth", "latency", "jitter", "loss"] as const).every(
      (key) => link[key] === back[key],
    );
    return same ? [link] : [link, back];
  };

  snapshot(): NetworkSnapshot {
    const counts = this.#paths.flatMap((targets, source) => {
      const used = [...(targets ?? [])].filter(([, path]) => path.transfers > 0);
      return used.length === 0
        ? []
        : [[source, Object.fromEntries(used.map(([target, path]) => [target, path.snapshot()]))] as const];
    });
    return Object.fromEntries(counts);
  }

  restore(snapshot: NetworkSnapshot): void {
    for (const targets of this.#paths) for (const path of targets?.values() ?? []) path.restore(0);
    for (const [source, targets] of Object.entries(snapshot))
      for (const [target, saved] of Object.entries(targets))
        this.#path(Number(source), Number(target)).restore(saved);
  }

  readonly #path = (source: Rank, target: Rank): Path => {
    let targets = this.#paths[source];
    if (targets === undefined) {
      targets = new Map();
      this.#paths[source] = targets;
    }
    let path = targets.get(target);
    if (path === undefined) {
      path = this.#createPath(source, target);
      targets.set(target, path);
    }
    return path;
  };

  #createPath(source: Rank, target: Rank): Path {
    const { worldSize } = this.topology;
    const known = (rank: Rank): boolean => Number.isInteger(rank) && rank >= 0 && rank < worldSize;
    if (!known(source) || !known(target) || source === target)
      throw new RunError(
        `A transfer needs two different ranks from 0 to ${worldSize - 1}, got ${source} and ${target}.`,
      );
    return this.#pathOver(source, target, this.topology.route(source, target));
  }

  readonly #course = (source: Rank, target: Rank): Course => {
    const path = this.#path(source, target);
    let course = this.#courses.get(path);
    if (course === undefined) {
      course = new Course(path, {
        capacities: this.#capacities,
        steps: this.#steps,
        present: this.#present,
        detours: this.#detours,
        createPath: (nodes) =>
          this.#pathOver(
            source,
            target,
            nodes.slice(1).map((node, i) => this.topology.link(nodes[i]!, node)!),
          ),
      });
      this.#courses.set(path, course);
    }
    return course;
  };

  #pathOver(source: Rank, target: Rank, links: readonly Link[], random: Random = this.#random): Path {
    const { nic, tcp } = this.#resolved;
    const { worldSize } = this.topology;
    const constant = (bandwidth: number) => (): LinkCapacity => ({ mean: bandwidth, steps: undefined });
    const numbers = links.flatMap((link) => [
      this.#resource(link.source, constant(nic.up)),
      this.#resource(worldSize * (2 + link.source) + link.target, () =>
        linkCapacity(link, this.#traceOf, this.#resolved, this.#random),
      ),
      this.#resource(worldSize + link.target, constant(nic.down)),
    ]);
    // A copy has room for as many as it has: what was filled has more.
    const resources = numbers.slice();
    const capacity = resources.reduce(
      (least, resource) => Math.min(least, this.#capacities[resource]!),
      Number.POSITIVE_INFINITY,
    );
    return new Path({ source, target, links, resources, capacity, tcp, random });
  }

  #resource(key: number, capacity: () => LinkCapacity): number {
    const number = this.#resourceNumbers.get(key) ?? this.#capacities.length;
    if (number === this.#capacities.length) {
      const { mean, steps } = capacity();
      this.#resourceNumbers.set(key, number);
      this.#capacities.push(usableCapacity(this.#resolved.tcp, mean));
      this.#steps.push(steps && scaled(steps, usableCapacity(this.#resolved.tcp, 1)));
    }
    return number;
  }
}

/** What a network is made for. */
export interface NetworkWorld {
  readonly worldSize: number;
  /** The stream that links, jitter, loss and background traffic are drawn from. */
  readonly random: Random;
  /** When links are down. Default: never. */
  readonly outages?: Outages | undefined;
}

/** @throws ConfigError for an unknown name or a value out of its limits */
export function resolveNetwork(options: NetworkOptions, world: NetworkWorld): Network {
  return new SimulatedNetwork(resolveOptions(options, world.worldSize), world);
}
