// The simulated network: links of a topology, drawn from the seed, that time transfers and whole schedules.
// It knows nothing of the clock or of what the bytes mean. Each call is timed as if the network were otherwise idle:
// transfers of one schedule contend with each other, those of two schedules do not.

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
import { estimateTime } from "./estimate.ts";
import { createLinkTable, type Link } from "./link.ts";
import {
  configOf,
  linkSource,
  type NetworkOptions,
  type ResolvedNetwork,
  resolveOptions,
} from "./options.ts";
import { Path, type PathSnapshot } from "./path.ts";
import { isUncontended, timeByRecurrence } from "./recurrence.ts";
import { timeByFlows } from "./replay.ts";
import type { TransferSchedule } from "./schedule.ts";
import { usableCapacity } from "./tcp.ts";
import { createTopology } from "./topology/index.ts";
import type { Topology } from "./topology/topology.ts";

/** What paths remember, by sender and receiver: all that a network remembers. JSON. */
export type NetworkSnapshot = { readonly [source: string]: { readonly [target: string]: PathSnapshot } };

export interface Network {
  readonly topology: Topology;
  /** Every option, resolved: for config.json. */
  readonly config: ConfigTree;
  /** When a message of `size` bytes sent at `at` has arrived whole. */
  transfer(source: Rank, target: Rank, size: Bytes, at: Seconds): Seconds;
  /** The same, and when its last byte has left, from when on the sender's line is free for the next message. */
  send(source: Rank, target: Rank, size: Bytes, at: Seconds): Sending;
  /** When each member of a schedule is done, given when each is ready; both in the order of `schedule.ranks`. */
  time(schedule: TransferSchedule, ready: readonly Seconds[]): readonly Seconds[];
  /**
   * About how long a schedule takes from scratch, without a draw: as if all members began each round together, each round
   * takes its longest latency and the time of its most loaded link, NIC or window. Of many rounds the first ones stand for
   * all. Good for choosing between schedules, not for their times.
   */
  estimate(schedule: TransferSchedule): Seconds;
  /** The event that tells a report about the links; they are left out above 64 nodes. */
  describe(): TopologyDrawn;
  snapshot(): NetworkSnapshot;
  restore(snapshot: NetworkSnapshot): void;
}

export interface Sending {
  readonly left: Seconds;
  readonly arrived: Seconds;
}

const DESCRIBED_NODES = 64;

class SimulatedNetwork implements Network {
  readonly topology: Topology;
  readonly config: ConfigTree;
  readonly #resolved: ResolvedNetwork;
  readonly #random: Random;
  /** By sender, then receiver. */
  readonly #paths: (Map<Rank, Path> | undefined)[] = [];
  /** Bytes per second by resource number: link directions and NIC directions, as far as paths use them. */
  readonly #capacities: number[] = [];
  readonly #resourceNumbers = new Map<string, number>();
  /** Whether a schedule is free of contention is found out once. */
  readonly #uncontended = new WeakMap<TransferSchedule, boolean>();

  constructor(resolved: ResolvedNetwork, worldSize: number, random: Random) {
    this.#resolved = resolved;
    this.#random = random;
    const table = createLinkTable(linkSource(resolved), worldSize, random);
    this.topology = createTopology(resolved.topology, table);
    for (const { from, to } of resolved.given)
      if (this.topology.link(from, to) === undefined)
        throw new ConfigError(
          `Option "network.links": nodes ${from} and ${to} share no link in the topology ${this.topology.name}.`,
        );
    this.config = configOf(resolved);
  }

  transfer(source: Rank, target: Rank, size: Bytes, at: Seconds): Seconds {
    return this.send(source, target, size, at).arrived;
  }

  send(source: Rank, target: Rank, size: Bytes, at: Seconds): Sending {
    const path = this.#path(source, target);
    const drawn = path.draw(size, at);
    const onWire = drawn.size / path.rate;
    return { left: seconds(at + onWire), arrived: seconds(at + drawn.delay + onWire) };
  }

  estimate(schedule: TransferSchedule): Seconds {
    return estimateTime(schedule, this.#path, this.#capacities);
  }

  time(schedule: TransferSchedule, ready: readonly Seconds[]): readonly Seconds[] {
    invariant(
      ready.length === schedule.ranks.length,
      `${ready.length} ready times for ${schedule.ranks.length} members`,
    );
    let uncontended = this.#uncontended.get(schedule);
    if (uncontended === undefined) {
      uncontended = isUncontended(schedule, this.#path);
      this.#uncontended.set(schedule, uncontended);
    }
    const times = uncontended
      ? timeByRecurrence(schedule, ready, this.#path)
      : timeByFlows(schedule, ready, this.#path, this.#capacities);
    return Array.from(times, seconds);
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
    const links = this.topology.route(source, target);
    const resources = Int32Array.from(
      links.flatMap((link) => [
        this.#resource(`up ${link.source}`, this.#resolved.nic.up),
        this.#resource(`${link.source} to ${link.target}`, link.bandwidth),
        this.#resource(`down ${link.target}`, this.#resolved.nic.down),
      ]),
    );
    const capacity = resources.reduce(
      (least, resource) => Math.min(least, this.#capacities[resource]!),
      Number.POSITIVE_INFINITY,
    );
    return new Path({
      source,
      target,
      links,
      resources,
      capacity,
      tcp: this.#resolved.tcp,
      random: this.#random,
    });
  }

  #resource(name: string, bandwidth: number): number {
    const number = this.#resourceNumbers.get(name) ?? this.#capacities.length;
    if (number === this.#capacities.length) {
      this.#resourceNumbers.set(name, number);
      this.#capacities.push(usableCapacity(this.#resolved.tcp, bandwidth));
    }
    return number;
  }
}

/**
 * @param world.random the stream that links, jitter and loss are drawn from
 * @throws ConfigError for an unknown name or a value out of its limits
 */
export function resolveNetwork(
  options: NetworkOptions,
  world: { readonly worldSize: number; readonly random: Random },
): Network {
  return new SimulatedNetwork(resolveOptions(options, world.worldSize), world.worldSize, world.random);
}
