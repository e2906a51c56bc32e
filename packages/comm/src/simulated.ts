// The simulated world: communicators of ranks that live in one process, on a virtual clock and a simulated network.
// A collective is timed and computed when its last member arrives. A member leaves when its own transfers have ended, and
// never before the last arrival, since until then its result does not exist. Two collectives that different groups have
// under way at the same time do not slow each other.

import { type ConfigValue, type EventSink, invariant, type Rank, RunError, seconds } from "@atoll/core";
import type { Network, NetworkSnapshot, VirtualClock } from "@atoll/network";
import type { Call } from "./collective.ts";
import type { AllReduceOptions, Communicator } from "./communicator.ts";
import type { Arrival, Gathering } from "./gathering.ts";
import { Group } from "./group.ts";
import { deliver } from "./results.ts";

export interface SimulatedWorldOptions {
  readonly worldSize: number;
  readonly network: Network;
  readonly clock: VirtualClock;
  /** Gets a CollectiveDone for every collective. */
  readonly emit?: EventSink | undefined;
}

/** Simulated seconds that a rank spent in collectives. */
export interface CommunicationTimes {
  /** Moving bytes: from the moment the last member was ready. */
  readonly communication: number;
  /** Idle for members that were not ready yet. */
  readonly waiting: number;
}

export interface SimulatedWorld {
  communicator(rank: Rank): Communicator;
  times(rank: Rank): CommunicationTimes;
  /** The counters of ranks and network, as JSON; only while no collective is under way. */
  snapshot(): ConfigValue;
  /** Goes on from a snapshot: the same calls then take the same times. @throws RunError if it is of another world */
  restore(snapshot: ConfigValue): void;
}

interface Counters {
  communication: number;
  waiting: number;
  bytesSent: number;
}

class World implements SimulatedWorld {
  readonly #options: SimulatedWorldOptions;
  readonly #all: Group;
  readonly #groups = new Map<string, Group>();
  #counters: Counters[];

  constructor(options: SimulatedWorldOptions) {
    this.#options = options;
    const ranks = Array.from({ length: options.worldSize }, (_, rank) => rank);
    this.#counters = ranks.map(() => ({ communication: 0, waiting: 0, bytesSent: 0 }));
    this.#all = this.group(ranks);
  }

  communicator(rank: Rank): Communicator {
    return new Member(this, this.#all, rank);
  }

  times(rank: Rank): CommunicationTimes {
    const { communication, waiting } = this.#counters[rank]!;
    return { communication, waiting };
  }

  bytesSent(rank: Rank): number {
    return this.#counters[rank]!.bytesSent;
  }

  /** The group of that list; the same one however often it is asked for. */
  group(ranks: readonly Rank[]): Group {
    const key = ranks.join();
    let group = this.#groups.get(key);
    if (group === undefined) {
      const { worldSize, network } = this.#options;
      for (const rank of ranks)
        if (!(Number.isInteger(rank) && rank >= 0 && rank < worldSize))
          throw new RunError(`group([${key}]): expected ranks from 0 to ${worldSize - 1}, got ${rank}.`);
      if (new Set(ranks).size !== ranks.length)
        throw new RunError(`group([${key}]): expected each rank once.`);
      group = new Group([...ranks], network.topology);
      this.#groups.set(key, group);
    }
    return group;
  }

  /** A member's call: it waits for the others, and for the bytes to move. Results are in its vector or in the promise. */
  async call(
    group: Group,
    member: number,
    call: Call,
    vector: Float32Array,
    signal?: AbortSignal,
  ): Promise<readonly Float32Array[]> {
    signal?.throwIfAborted();
    const { clock } = this.#options;
    const gathering = group.enter(member, call);
    const rank = group.ranks[member]!;
    const wait = clock.wait<readonly Float32Array[]>(rank, () => gathering.describe());
    const arrivals = gathering.add(member, { vector, ready: clock.forRank(rank).now(), wait });
    if (arrivals !== undefined) this.#finish(group, gathering, call, arrivals);
    if (signal === undefined) return wait.promise;
    const abort = (): void => wait.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await wait.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #finish(group: Group, gathering: Gathering, call: Call, arrivals: readonly Arrival[]): void {
    group.close(gathering);
    const { network, emit } = this.#options;
    const { schedule, trace } = group.plan(
      call,
      arrivals.map(({ vector }) => vector.length),
    );
    const ready = arrivals.map((arrival) => arrival.ready);
    const lastReady = ready.reduce((latest, time) => Math.max(latest, time), 0);
    const end = network.time(schedule, ready).map((time) => seconds(Math.max(time, lastReady)));
    const results = deliver(call, trace, arrivals);
    arrivals.forEach(({ wait }, member) => {
      const counters = this.#counters[group.ranks[member]!]!;
      counters.waiting += lastReady - ready[member]!;
      counters.communication += end[member]! - lastReady;
      counters.bytesSent += trace.bytesSent[member]!;
      wait.resolveAt(end[member]!, results[member]!);
    });
    emit?.({
      type: "collective",
      operation: call.operation,
      algorithm: schedule.algorithm,
      ranks: group.ranks,
      ready,
      end,
      bytes: Array.from(trace.bytesSent),
    });
  }

  snapshot(): ConfigValue {
    for (const group of this.#groups.values())
      invariant(!group.isGathering, "a snapshot of the simulated world while a collective is under way");
    return {
      ranks: this.#counters.map((counters) => ({ ...counters })),
      network: this.#options.network.snapshot(),
    };
  }

  restore(snapshot: ConfigValue): void {
    const { ranks, network } = snapshot as unknown as {
      readonly ranks?: readonly Counters[];
      readonly network?: NetworkSnapshot;
    };
    if (ranks?.length !== this.#counters.length || network === undefined)
      throw new RunError(
        `The snapshot of the simulated world: expected counters of ${this.#counters.length} ranks and the network, ` +
          `got ${JSON.stringify(snapshot).slice(0, 80)}. It belongs to another run.`,
      );
    this.#counters = ranks.map((counters) => ({ ...counters }));
    this.#options.network.restore(network);
  }
}

const EMPTY = new Float32Array(0);

class Member implements Communicator {
  readonly rank: Rank;
  readonly worldSize: number;
  readonly #world: World;
  readonly #group: Group;

  constructor(world: World, group: Group, member: number) {
    this.#world = world;
    this.#group = group;
    this.rank = member;
    this.worldSize = group.ranks.length;
  }

  get bytesSent(): number {
    return this.#world.bytesSent(this.#group.ranks[this.rank]!);
  }

  async allReduce(x: Float32Array, { op = "sum", signal }: AllReduceOptions = {}): Promise<void> {
    if (this.worldSize > 1) await this.#call({ operation: "allReduce", length: x.length, op }, x, signal);
  }

  async broadcast(x: Float32Array, root = 0): Promise<void> {
    if (!(Number.isInteger(root) && root >= 0 && root < this.worldSize))
      throw new RunError(`broadcast: expected a root from 0 to ${this.worldSize - 1}, got ${root}.`);
    if (this.worldSize > 1) await this.#call({ operation: "broadcast", length: x.length, root }, x);
  }

  async allGather(x: Float32Array): Promise<readonly Float32Array[]> {
    return this.worldSize > 1 ? this.#call({ operation: "allGather", length: x.length }, x) : [x.slice()];
  }

  async barrier(): Promise<void> {
    if (this.worldSize > 1) await this.#call({ operation: "barrier", length: 0 }, EMPTY);
  }

  group(ranks: readonly Rank[]): Communicator {
    const own = this.#group.ranks[this.rank]!;
    const member = ranks.indexOf(own);
    if (member === -1)
      throw new RunError(`group([${ranks.join()}]) on rank ${own}: expected a list with this rank in it.`);
    return new Member(this.#world, this.#world.group(ranks), member);
  }

  #call(call: Call, x: Float32Array, signal?: AbortSignal): Promise<readonly Float32Array[]> {
    return this.#world.call(this.#group, this.rank, call, x, signal);
  }
}

/** A world of `worldSize` ranks whose collectives take the network's time on the clock. */
export function createSimulatedWorld(options: SimulatedWorldOptions): SimulatedWorld {
  return new World(options);
}
