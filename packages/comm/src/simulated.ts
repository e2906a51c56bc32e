// The simulated world: communicators of ranks that live in one process, on a virtual clock and a simulated network.
// A collective is timed and computed when its last member arrives. A member leaves when its own transfers have ended, and
// never before the last arrival, since until then its result does not exist. The collectives of one rank run one after
// another, as on a stream of NCCL: one that is started while an earlier one moves bytes begins, for that rank, when the
// earlier one has ended. Collectives of some ranks and messages share links and NICs with those of the same exchange
// (exchanges.ts); others do not slow each other.

import { type ConfigValue, invariant, type Rank, RunError, type Seconds, seconds } from "@atoll/core";
import { listed, type NetworkSnapshot } from "@atoll/network";
import { plainArithmetic } from "./arithmetic.ts";
import { type Call, describeCall, withAlgorithm } from "./collective.ts";
import type { Communicator, Handle } from "./communicator.ts";
import { PeerLostError } from "./disruptions.ts";
import { Exchanges } from "./exchanges.ts";
import type { Arrival, Gathering } from "./gathering.ts";
import { Group } from "./group.ts";
import { Mailboxes, type MailboxSnapshot, type Parcel } from "./mailboxes.ts";
import { type Letter, Member, type Membership, type MemberWorld, type StartOptions } from "./member.ts";
import { type OpenCall, OpenCalls } from "./openCalls.ts";
import { deliver, type Results } from "./results.ts";
import type {
  CommunicationTimes,
  RestoreOptions,
  SimulatedWorld,
  SimulatedWorldOptions,
} from "./simulatedWorld.ts";
import type { Outcome, Started } from "./started.ts";

interface Counters {
  communication: number;
  waiting: number;
  bytesSent: number;
  /** Calls so far, which number the handles. */
  calls: number;
  /** When the latest collective that has begun to move bytes has ended for this rank. */
  busyUntil: number;
}

interface WorldSnapshot {
  readonly ranks: readonly Counters[];
  readonly network: NetworkSnapshot;
  readonly mail: MailboxSnapshot;
  readonly open: readonly OpenCall[];
  /** Sentences that need not be said again. */
  readonly warned: readonly string[];
}

/** Groups that are kept though nobody is in a collective of theirs: a run that draws new ones all the time would fill up. */
const KEPT_GROUPS = 64;

class World implements SimulatedWorld, MemberWorld {
  readonly #options: SimulatedWorldOptions;
  /** By their ranks; the one called longest ago comes first. */
  readonly #groups = new Map<string, Group>();
  readonly #ranks: readonly Rank[];
  readonly #key: string;
  readonly #mail: Mailboxes;
  readonly #warned = new Set<string>();
  readonly #calls: OpenCalls;
  readonly #exchanges: Exchanges;
  #counters: Counters[];

  constructor(options: SimulatedWorldOptions) {
    this.#options = options;
    this.#ranks = Array.from({ length: options.worldSize }, (_, rank) => rank);
    this.#key = this.#ranks.join();
    this.#exchanges = new Exchanges(options.worldSize);
    this.#mail = new Mailboxes(options, this.#exchanges);
    this.#calls = new OpenCalls(options.worldSize, options.clock, {
      onEnd: (...ended) => this.#count(...ended),
      // All of it was in vain, whenever the others were ready.
      onBroken: (rank, from, at) => this.#tellOfWaiting(rank, { from, ready: at, end: at }),
    });
    const zeros = { communication: 0, waiting: 0, bytesSent: 0, calls: 0, busyUntil: 0 };
    this.#counters = this.#ranks.map(() => ({ ...zeros }));
  }

  communicator(rank: Rank): Communicator {
    return new Member(this, { ranks: this.#ranks, key: this.#key, member: rank });
  }

  beginExchange(rank: Rank, number: number): void {
    this.#exchanges.begin(rank, number);
  }

  times(rank: Rank): CommunicationTimes {
    const { communication, waiting } = this.#counters[rank]!;
    return { communication, waiting };
  }

  bytesSent(rank: Rank): number {
    return this.#counters[rank]!.bytesSent;
  }

  /**
   * The group that a call of these ranks belongs to, made anew if it was forgotten: while none of its members waits for
   * another, all have made equally many calls, so there is nothing in it to lose.
   */
  #group(ranks: readonly Rank[], key: string): Group {
    const group = this.#groups.get(key) ?? new Group([...ranks], this.#options.network);
    this.#groups.delete(key);
    this.#groups.set(key, group);
    if (this.#groups.size > KEPT_GROUPS) {
      const idle = this.#groups.entries().find(([, { isGathering }]) => !isGathering);
      if (idle !== undefined && idle[1] !== group) this.#groups.delete(idle[0]);
    }
    return group;
  }

  /** A member's call: it goes on once the others have come and the bytes have moved. */
  start(
    { ranks, key, member }: Membership,
    asked: Call,
    vectors: readonly Float32Array[],
    { overlaps, signal }: StartOptions,
  ): Handle<readonly Float32Array[]> {
    signal?.throwIfAborted();
    const call = withAlgorithm(asked, this.#options.allReduce, (message) => this.#warnOnce(message));
    const rank = ranks[member]!;
    if (ranks.length === 1) return this.#alone(rank, call, vectors);
    const group = this.#group(ranks, key);
    const gathering = group.enter(member, call);
    const started = this.#begin<readonly Float32Array[]>(rank, call.operation, () => gathering.describe(), {
      isTold: !overlaps,
      signal,
    });
    const arrivals = gathering.add(member, { call, vectors, started, overlaps });
    if (arrivals !== undefined) this.#finish(group, gathering, call, arrivals);
    return started;
  }

  /** A call of a group of one: its own vectors are all there is. */
  #alone(rank: Rank, call: Call, vectors: readonly Float32Array[]): Handle<readonly Float32Array[]> {
    const started = this.#begin<readonly Float32Array[]>(rank, call.operation, () => "itself");
    const value = vectors.map((vector) => vector.slice());
    started.settle({ lastReady: started.ready, end: started.ready, bytes: 0, value });
    return started;
  }

  send({ ranks, key, member }: Membership, { vector, to, tag, given }: Letter): Handle<void> {
    const rank = ranks[member]!;
    const target = ranks[to]!;
    const started = this.#begin<void>(rank, "send", () => `its message to rank ${target}`);
    const sent = started.ready;
    const group = key === this.#key ? "" : key;
    const { arrived } = this.#mail.send({
      source: rank,
      target,
      group,
      tag,
      sent,
      vector: given ? vector : vector.slice(),
    });
    const undertaking = { ranks: [rank, target], ready: [sent, sent], end: [arrived, arrived] };
    const disruption = this.#options.disruptions?.find(undertaking);
    if (disruption === undefined)
      started.settle({ lastReady: sent, end: arrived, bytes: 0, value: undefined });
    else {
      const error = new PeerLostError(`send to rank ${target}`, [rank], disruption);
      started.breakOff(disruption.at, error);
    }
    // Nobody needs to wait for a message that was sent, so it counts at once and is not kept open.
    this.#counters[rank]!.bytesSent += vector.byteLength;
    this.#calls.close(rank, started.id);
    // As collectives that break off, messages that never arrive leave no event.
    if (arrived === Number.POSITIVE_INFINITY) return started;
    this.#options.emit?.({
      type: "collective",
      operation: "send",
      algorithm: "direct",
      ranks: [rank, target],
      ready: [sent, sent],
      end: [arrived, arrived],
      bytes: [vector.byteLength, 0],
    });
    return started;
  }

  receive({ ranks, key, member }: Membership, from: Rank | "any", tag: number): Handle<Parcel> {
    const rank = ranks[member]!;
    const source = from === "any" ? from : ranks[from]!;
    const whom = source === "any" ? "any rank" : `rank ${source}`;
    const wanted = { source, group: key === this.#key ? "" : key, tag };
    const describe = (): string => `recv(from ${whom}, tag ${tag})${this.#mail.obstacle(rank, wanted)}`;
    const started = this.#begin<Parcel>(rank, "recv", describe);
    this.#mail.receive(rank, { ...wanted, started });
    return started;
  }

  arrived({ ranks, key, member }: Membership, tag: number): Promise<readonly Parcel[]> {
    return this.#mail.arrived(ranks[member]!, { group: key === this.#key ? "" : key, tag });
  }

  started(rank: Rank, id: number): Handle<void> {
    return this.#calls.handle(rank, id);
  }

  /** A numbered call of a rank, which is open until the rank has waited for it. */
  #begin<T>(
    rank: Rank,
    operation: string,
    describe: () => string,
    { isTold = false, signal }: { readonly isTold?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Started<T> {
    const id = ++this.#counters[rank]!.calls;
    return this.#calls.begin<T>(rank, { id, operation, describe, signal, isTold });
  }

  /** What a rank that waited from a moment on has spent. */
  #count(
    rank: Rank,
    { lastReady, end, bytes }: Outcome<unknown>,
    { from, isTold }: { readonly from: Seconds; readonly isTold: boolean },
  ): void {
    const counters = this.#counters[rank]!;
    if (!isTold) this.#tellOfWaiting(rank, { from, ready: Math.min(Math.max(lastReady, from), end), end });
    counters.waiting += Math.max(0, lastReady - from);
    counters.communication += Math.max(0, end - Math.max(lastReady, from));
    counters.bytesSent += bytes;
  }

  #tellOfWaiting(
    rank: Rank,
    { from, ready, end }: { readonly from: number; readonly ready: number; readonly end: number },
  ): void {
    if (end > from) this.#options.emit?.({ type: "waited", rank, from, ready, end });
  }

  #finish(group: Group, gathering: Gathering, call: Call, arrivals: readonly Arrival[]): void {
    group.close(gathering);
    const { network, emit, clock, disruptions, arithmetic = plainArithmetic } = this.#options;
    const plan = group.plan(
      call,
      arrivals.flatMap(({ vectors }) => vectors.map((vector) => vector.length)),
    );
    const { schedule, bytesSent } = plan;
    if (schedule.fallback !== undefined) this.#warnOnce(schedule.fallback);
    const ready = arrivals.map(({ started }) => started.ready);
    const lastReady = seconds(ready.reduce((latest, time) => Math.max(latest, time), 0));
    const counters = group.ranks.map((rank) => this.#counters[rank]!);
    const begin = ready.map((time, member) => seconds(Math.max(time, counters[member]!.busyUntil)));
    const losses = disruptions?.losses(group.ranks, ready);
    // Those of all ranks have nobody beside them.
    const among = group.ranks.length === this.#ranks.length ? undefined : this.#exchanges.of(group.ranks[0]!);
    const undisturbed = network
      .time(schedule, begin, { losses, among })
      .map((time) => seconds(Math.max(time, lastReady)));
    const end = this.#endOf(group, call, arrivals, undisturbed);
    if (end === undefined) return;
    const settle = (results: Results): void =>
      arrivals.forEach(({ started }, m) => {
        counters[m]!.busyUntil = end[m]!;
        started.settle({ lastReady, end: end[m]!, bytes: bytesSent[m]!, value: results[m]! });
      });
    // Where members go on meanwhile, or may be lost, others look at their vectors before they have waited for the call.
    const allWait = disruptions === undefined && !arrivals.some(({ overlaps }) => overlaps);
    const results = deliver(call, plan, arrivals, { arithmetic, allWait });
    if (results instanceof Promise) clock.whenDone(results, clock.now(), group.ranks[0]!, settle);
    else settle(results);
    emit?.({
      type: "collective",
      operation: call.operation,
      algorithm: schedule.algorithm,
      ranks: group.ranks,
      ready,
      end,
      bytes: Array.from(bytesSent),
      ...(arrivals.some(({ overlaps }) => overlaps) ? { overlaps: true } : {}),
    });
  }

  /**
   * When the members of a collective are really done; undefined if it is lost, which its members are told. One that
   * overlaps with computing is brought to its end by those that are left: what it sums is with them already.
   * @throws RunError if its bytes can never get through
   */
  #endOf(
    group: Group,
    call: Call,
    arrivals: readonly Arrival[],
    end: readonly Seconds[],
  ): readonly Seconds[] | undefined {
    const { ranks } = group;
    const ready = arrivals.map(({ started }) => started.ready);
    const disruption = this.#options.disruptions?.find({ ranks, ready, end });
    if (disruption !== undefined) {
      const { at } = disruption;
      if (arrivals.some(({ overlaps }) => overlaps))
        return end.map((time, member) => seconds(Math.min(time, Math.max(ready[member]!, at))));
      const error = new PeerLostError(describeCall(call), ranks, disruption);
      for (const { started } of arrivals) started.breakOff(at, error);
      // The members need not have made equally many calls by the time they meet again.
      this.#groups.delete(ranks.join());
      return undefined;
    }
    const stuck = ranks.filter((_, member) => end[member] === Number.POSITIVE_INFINITY);
    if (stuck.length > 0)
      throw new RunError(
        `${describeCall(call)} of ${listed("rank", ranks)} can never end: the links that ${listed("rank", stuck)} need stay down or carry next to nothing. ` +
          "End the outage, raise the bandwidth, or let the nodes go on without those that are missing (faults.whenMissing).",
      );
    return end;
  }

  #warnOnce(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.warn?.(message);
  }

  snapshot(): ConfigValue {
    for (const group of this.#groups.values())
      invariant(!group.isGathering, "a snapshot of the simulated world while a collective is under way");
    return {
      ranks: this.#counters.map((counters) => ({ ...counters })),
      network: this.#options.network.snapshot(),
      mail: this.#mail.snapshot(),
      open: this.#calls.snapshot().map((call) => ({ ...call })),
      warned: [...this.#warned],
    };
  }

  restore(snapshot: ConfigValue, { keepCounters = false }: RestoreOptions = {}): void {
    const { ranks, network, mail, open, warned = [] } = snapshot as unknown as Partial<WorldSnapshot>;
    if (ranks?.length !== this.#counters.length || !network || !mail || !open)
      throw new RunError(
        `The snapshot of the simulated world: expected counters of ${this.#counters.length} ranks and the network, ` +
          `got ${JSON.stringify(snapshot).slice(0, 80)}. It belongs to another run.`,
      );
    // A snapshot of a version that did not keep `busyUntil` is of a world in which nothing was busy.
    if (!keepCounters)
      this.#counters = ranks.map((counters) => ({ ...counters, busyUntil: counters.busyUntil ?? 0 }));
    this.#options.network.restore(network);
    this.#exchanges.clear();
    this.#mail.restore(mail);
    this.#warned.clear();
    for (const message of warned) this.#warned.add(message);
    this.#groups.clear();
    this.#calls.restore(open);
  }

  drop(rank: Rank): void {
    this.#exchanges.leave(rank);
    this.#calls.clear(rank);
    this.#mail.drop(rank);
  }

  adopt(rank: Rank, from: Rank, bytes: number): void {
    this.#counters[from]!.bytesSent += bytes;
    const counters = this.#counters[rank]!;
    counters.calls = Math.max(counters.calls, this.#counters[from]!.calls);
    this.#calls.adopt(rank, from);
  }

  isSettled(rank: Rank): boolean {
    return this.#calls.areSettled(rank);
  }

  callsOf(rank: Rank): number {
    return this.#counters[rank]!.calls;
  }

  withdraw(rank: Rank, since: number): void {
    this.#calls.clear(rank, since);
  }
}

/** A world of `worldSize` ranks whose collectives take the network's time on the clock. */
export function createSimulatedWorld(options: SimulatedWorldOptions): SimulatedWorld {
  return new World(options);
}
