// Times a schedule flow by flow, for transfers that share links or NICs. The rules are those of recurrence.ts (a member
// starts a round when its own transfers of the earlier rounds have ended); only the rates differ.

import { invariant, type Seconds } from "@atoll/core";
import { type Flow, FlowSimulation } from "./flows.ts";
import type { Take } from "./occupancy.ts";
import type { PathLookup } from "./recurrence.ts";
import { type TransferRound, type TransferSchedule, transferBytes } from "./schedule.ts";

/** What moves the bytes of a schedule's transfers. */
export interface Movement {
  /** Members `source` and `target` begin a transfer at a moment. */
  send(round: LiveRound, source: number, target: number, bytes: number, at: number): void;
  /** The next moment at which transfers arrive; undefined if none is left that ever will. */
  next(): { readonly time: number; readonly arrived: readonly Transfer[] } | undefined;
}

/** A round that some members have come to and not all have left. */
export interface LiveRound {
  /** What each sender has to start. */
  readonly outgoing: ReadonlyMap<number, readonly { readonly target: number; readonly bytes: number }[]>;
  /** Transfers of each member that have not ended, in and out. */
  readonly open: Int32Array;
  /** Members that have not left the round. */
  inside: number;
}

export interface Transfer {
  readonly round: LiveRound;
  readonly source: number;
  readonly target: number;
}

class Replay {
  readonly times: Float64Array;
  readonly #schedule: TransferSchedule;
  readonly #movement: Movement;
  readonly #unread: Iterator<TransferRound>;
  /** Rounds by number; those that all members have left are removed. */
  readonly #live = new Map<number, LiveRound>();
  /** The round each member is in. */
  readonly #position: Int32Array;
  /** When each member is lost; Infinity once it is done. */
  readonly #losses: Float64Array;
  /** The first of these; it only grows. */
  #firstLoss = Number.NEGATIVE_INFINITY;
  #read = 0;

  constructor(
    schedule: TransferSchedule,
    ready: readonly Seconds[],
    movement: Movement,
    losses: readonly number[] | undefined,
  ) {
    this.#losses = losses
      ? Float64Array.from(losses)
      : new Float64Array(ready.length).fill(Number.POSITIVE_INFINITY);
    this.times = Float64Array.from(ready);
    this.#schedule = schedule;
    this.#movement = movement;
    this.#unread = schedule.rounds()[Symbol.iterator]();
    this.#position = new Int32Array(ready.length).fill(-1);
  }

  run(): void {
    for (let member = 0; member < this.times.length; member++) this.#advance(member);
    for (let event = this.#movement.next(); event !== undefined; event = this.#movement.next()) {
      if (this.#isLost(event.time)) break;
      for (const transfer of event.arrived) this.#arrive(transfer, event.time);
    }
    if (this.#live.size === 0) return;
    for (const [member, round] of this.#position.entries())
      if (this.#live.has(round)) this.times[member] = Number.POSITIVE_INFINITY;
  }

  /** Whether a member is lost before a moment that was not done by then. */
  #isLost(time: number): boolean {
    if (time <= this.#firstLoss) return false;
    this.#firstLoss = this.#losses.reduce((first, loss) => Math.min(first, loss), Number.POSITIVE_INFINITY);
    return time > this.#firstLoss;
  }

  #arrive({ round, source, target }: Transfer, time: number): void {
    for (const member of [source, target]) {
      round.open[member]!--;
      if (this.#live.get(this.#position[member]!) !== round) continue;
      this.times[member] = Math.max(this.times[member]!, time);
      this.#advance(member);
    }
  }

  /** Takes a member through rounds until it has to wait. */
  #advance(member: number): void {
    for (;;) {
      const round = this.#live.get(this.#position[member]!);
      if (round !== undefined) {
        if (round.open[member]! > 0) return;
        if (--round.inside === 0) this.#live.delete(this.#position[member]!);
      }
      const next = this.#round(++this.#position[member]!);
      if (next === undefined) {
        this.#losses[member] = Number.POSITIVE_INFINITY;
        return;
      }
      for (const { target, bytes } of next.outgoing.get(member) ?? [])
        this.#movement.send(next, member, target, bytes, this.times[member]!);
    }
  }

  /** The round of that number, read when the first member comes to it. */
  #round(number: number): LiveRound | undefined {
    if (number === this.#read) {
      const { done, value } = this.#unread.next();
      if (done) return undefined;
      this.#live.set(number, this.#open(value));
      this.#read++;
    }
    return this.#live.get(number);
  }

  #open(round: TransferRound): LiveRound {
    const { sources, targets } = round;
    const open = new Int32Array(this.times.length);
    const outgoing = new Map<number, { readonly target: number; readonly bytes: number }[]>();
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i]!;
      const target = targets[i]!;
      open[source]!++;
      open[target]!++;
      const bytes = transferBytes(this.#schedule.chunkBytes, round, i);
      // Time would never get past a transfer whose size is no number.
      if (!(bytes >= 0 && bytes < Number.POSITIVE_INFINITY))
        invariant(
          false,
          `a transfer of ${bytes} bytes from member ${source} to member ${target} of a schedule`,
        );
      const transfer = { target, bytes };
      const own = outgoing.get(source);
      if (own === undefined) outgoing.set(source, [transfer]);
      else own.push(transfer);
    }
    return { outgoing, open, inside: this.times.length };
  }
}

/**
 * When each member is done, given when each is ready; Infinity for one that waits for what never arrives.
 * @param losses when each member is lost: with the first that is lost before it is done the replay ends
 */
export function replay(
  schedule: TransferSchedule,
  ready: readonly Seconds[],
  movement: Movement,
  losses?: readonly number[],
): Float64Array {
  const run = new Replay(schedule, ready, movement, losses);
  run.run();
  return run.times;
}

/**
 * When each member is done, given when each is ready; `capacities` are bytes per second by resource number.
 * @param take is told what each transfer takes, as if it had moved evenly
 */
export function timeByFlows(
  schedule: TransferSchedule,
  ready: readonly Seconds[],
  path: PathLookup,
  capacities: readonly number[],
  take?: Take,
): Float64Array {
  const { ranks } = schedule;
  const simulation = new FlowSimulation<Transfer & Flow>(capacities);
  const times = replay(schedule, ready, {
    send(round, source, target, bytes, at) {
      const taken = path(ranks[source]!, ranks[target]!);
      const { delay, size, limit: own } = taken.draw(bytes, at);
      const { resources, rate, weight } = taken;
      const limit = Math.min(rate, own);
      simulation.start({ resources, limit, weight, size, begin: at + delay, round, source, target });
    },
    next() {
      const event = simulation.next();
      if (take !== undefined)
        for (const { resources, begin, size } of event?.arrived ?? [])
          take(resources, begin, event!.time, size);
      return event;
    },
  });
  invariant(times.every(Number.isFinite), "rounds of a schedule that nobody can leave");
  return times;
}
