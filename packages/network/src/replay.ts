// Times a schedule flow by flow, for transfers that share links or NICs. The rules are those of recurrence.ts (a member
// starts a round when its own transfers of the earlier rounds have ended); only the rates differ.

import { invariant, type Seconds } from "@atoll/core";
import type { Flow, FlowSimulation } from "./flows.ts";
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
  /** Transfers by sender, in their order: those of member m are `firsts[m]` … `firsts[m + 1]` − 1. */
  readonly firsts: Int32Array;
  readonly targets: Int32Array;
  readonly bytes: Float64Array;
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
  /** The number of the round each member is in, and the round. */
  readonly #position: Int32Array;
  readonly #current: (LiveRound | undefined)[];
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
    this.#current = ready.map(() => undefined);
  }

  run(): void {
    for (let member = 0; member < this.times.length; member++) this.#advance(member);
    for (let event = this.#movement.next(); event !== undefined; event = this.#movement.next()) {
      if (this.#isLost(event.time)) break;
      for (const transfer of event.arrived) this.#arrive(transfer, event.time);
    }
    if (this.#live.size === 0) return;
    for (const [member, round] of this.#current.entries())
      if (round !== undefined) this.times[member] = Number.POSITIVE_INFINITY;
  }

  /** Whether a member is lost before a moment that was not done by then. */
  #isLost(time: number): boolean {
    if (time <= this.#firstLoss) return false;
    this.#firstLoss = this.#losses.reduce((first, loss) => Math.min(first, loss), Number.POSITIVE_INFINITY);
    return time > this.#firstLoss;
  }

  #arrive({ round, source, target }: Transfer, time: number): void {
    this.#end(round, source, time);
    this.#end(round, target, time);
  }

  /** A transfer of a member has ended. */
  #end(round: LiveRound, member: number, time: number): void {
    round.open[member]!--;
    if (this.#current[member] !== round) return;
    this.times[member] = Math.max(this.times[member]!, time);
    this.#advance(member);
  }

  /** Takes a member through rounds until it has to wait. */
  #advance(member: number): void {
    for (;;) {
      const round = this.#current[member];
      if (round !== undefined) {
        if (round.open[member]! > 0) return;
        if (--round.inside === 0) this.#live.delete(this.#position[member]!);
      }
      const next = this.#round(++this.#position[member]!);
      this.#current[member] = next;
      if (next === undefined) {
        this.#losses[member] = Number.POSITIVE_INFINITY;
        return;
      }
      const { firsts, targets, bytes } = next;
      for (let i = firsts[member]!; i < firsts[member + 1]!; i++)
        this.#movement.send(next, member, targets[i]!, bytes[i]!, this.times[member]!);
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

  /** The round's own arrays are only valid until the next one is read. */
  #open(round: TransferRound): LiveRound {
    const { sources, targets } = round;
    const members = this.times.length;
    const open = new Int32Array(members);
    const firsts = new Int32Array(members + 1);
    for (let i = 0; i < sources.length; i++) {
      open[sources[i]!]!++;
      open[targets[i]!]!++;
      firsts[sources[i]! + 1]!++;
    }
    for (let member = 0; member < members; member++) firsts[member + 1]! += firsts[member]!;
    const sorted = new Int32Array(sources.length);
    const bytes = new Float64Array(sources.length);
    const next = firsts.slice();
    for (let i = 0; i < sources.length; i++) {
      const place = next[sources[i]!]!++;
      sorted[place] = targets[i]!;
      bytes[place] = this.#bytes(round, i);
    }
    return { firsts, targets: sorted, bytes, open, inside: members };
  }

  #bytes(round: TransferRound, i: number): number {
    const bytes = transferBytes(this.#schedule.chunkBytes, round, i);
    // Time would never get past a transfer whose size is no number.
    if (!(bytes >= 0 && bytes < Number.POSITIVE_INFINITY))
      invariant(
        false,
        `a transfer of ${bytes} bytes from member ${round.sources[i]} to member ${round.targets[i]} of a schedule`,
      );
    return bytes;
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

/** What `timeByFlows` moves. */
export type TransferFlow = Transfer & Flow;

/**
 * When each member is done, given when each is ready.
 * @param simulation in which nothing moves
 * @param take is told what each transfer takes, as if it had moved evenly
 */
export function timeByFlows(
  schedule: TransferSchedule,
  ready: readonly Seconds[],
  path: PathLookup,
  simulation: FlowSimulation<TransferFlow>,
  take?: Take,
): Float64Array {
  const { ranks } = schedule;
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
