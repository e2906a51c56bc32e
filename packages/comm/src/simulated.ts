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

/** Groups that are kept though nobody is in a collective of theirs: a run that draws new ones all the time would fill up. */
const KEPT_GROUPS = 64;

class World implements SimulatedWorld {
  readonly #options: SimulatedWorldOptions;
  /** By their ranks; the one called longest ago comes first. */
  readonly #groups = new Map<string, Group>();
  readonly #ranks: readonly Rank[];
  readonly #key: string;
  #counters: Counters[];

  constructor(options: SimulatedWorldOptions) {
    this.#options = options;
    this.#ranks = Array.from({ length: options.worldSize }, (_, rank) => rank);
    this.#key = this.#ranks.join();
    this.#counters = this.#ranks.map(() => ({ communication: 0, waiting: 0, bytesSent: 0 }));
  }

  communicator(rank: Rank): Communicator {
    return new Member(this, { ranks: this.#ranks, key: this.#key, member: rank });
  }

  times(rank: Rank): CommunicationTimes {
    const { communication, waiting } = this.#counters[rank]!;
    return { communication, waiting };
  }

  bytesSent(rank: Rank): number {
    return this.#counters[rank]!.bytesSent;
  }

  /** @throws RunError if the list is none of different ranks of this world */
  check(ranks: readonly Rank[]): void {
    const { worldSize } = this.#options;
    for (const rank of ranks)
      if (!(Number.isInteger(rank) && rank >= 0 && rank < worldSize))
        throw new RunError(`group([${ranks}]): expected ranks from 0 to ${worldSize - 1}, got ${rank}.`);
    if (new Set(ranks).size !== ranks.length)
      throw new RunError(`group([${ranks}]): expected each rank once.`);
  }

  /**
   * The group that a call of these ranks belongs to, made anew if it was forgotten: while none of its members waits for
   * another, all have made equally many calls, so there is nothing in it to lose.
   */
  #group(ranks: readonly Rank[], key: string): Group {
    const group = this.#groups.get(key) ?? new Group([...ranks], this.#options.network.topology);
    this.#groups.delete(key);
    this.#groups.set(key, group);
    if (this.#groups.size > KEPT_GROUPS) {
      const idle = this.#groups.entries().find(([, { isGathering }]) => !isGathering);
      if (idle !== undefined && idle[1] !== group) this.#groups.delete(idle[0]);
    }
    return group;
  }

  /** A member's call: it waits for the others, and for the bytes to move. Results are in its vector or in the promise. */
  async call(
    { ranks, key, member }: Membership,
    call: Call,
    vector: Float32Array,
    signal?: AbortSignal,
  ): Promise<readonly Float32Array[]> {
    signal?.throwIfAborted();
    const { clock } = this.#options;
    const group = this.#group(ranks, key);
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

/** Whom a call is among, and whose it is. */
interface Membership {
  readonly ranks: readonly Rank[];
  readonly key: string;
  readonly member: number;
}

class Member implements Communicator {
  readonly rank: Rank;
  readonly worldSize: number;
  readonly #world: World;
  readonly #membership: Membership;

  constructor(world: World, membership: Membership) {
    this.#world = world;
    this.#membership = membership;
    this.rank = membership.member;
    this.worldSize = membership.ranks.length;
  }

  get #worldRank(): Rank {
    return this.#membership.ranks[this.rank]!;
  }

  get bytesSent(): number {
    return this.#world.bytesSent(this.#worldRank);
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
    const own = this.#worldRank;
    const member = ranks.indexOf(own);
    if (member === -1)
      throw new RunError(`group([${ranks.join()}]) on rank ${own}: expected a list with this rank in it.`);
    this.#world.check(ranks);
    return new Member(this.#world, { ranks: [...ranks], key: ranks.join(), member });
  }

  #call(call: Call, x: Float32Array, signal?: AbortSignal): Promise<readonly Float32Array[]> {
    return this.#world.call(this.#membership, call, x, signal);
  }
}

/** A world of `worldSize` ranks whose collectives take the network's time on the clock. */
export function createSimulatedWorld(options: SimulatedWorldOptions): SimulatedWorld {
  return new World(options);
}
