// Times a schedule flow by flow, for transfers that share links or NICs. The rules are those of recurrence.ts (a member
// starts a round when its own transfers of the earlier rounds have ended); only the rates differ.

import { invariant, type Seconds } from "@atoll/core";
import { type Flow, FlowSimulation } from "./flows.ts";
import type { PathLookup } from "./recurrence.ts";
import { type TransferRound, type TransferSchedule, transferBytes } from "./schedule.ts";

/** A round that some members have come to and not all have left. */
interface LiveRound {
  /** What each sender has to start. */
  readonly outgoing: ReadonlyMap<number, readonly { readonly target: number; readonly bytes: number }[]>;
  /** Transfers of each member that have not ended, in and out. */
  readonly open: Int32Array;
  /** Members that have not left the round. */
  inside: number;
}

interface Transfer extends Flow {
  readonly round: LiveRound;
  readonly source: number;
  readonly target: number;
}

class Replay {
  readonly times: Float64Array;
  readonly #schedule: TransferSchedule;
  readonly #path: PathLookup;
  readonly #simulation: FlowSimulation<Transfer>;
  readonly #unread: Iterator<TransferRound>;
  /** Rounds by number; those that all members have left are removed. */
  readonly #live = new Map<number, LiveRound>();
  /** The round each member is in. */
  readonly #position: Int32Array;
  #read = 0;

  constructor(
    schedule: TransferSchedule,
    ready: readonly Seconds[],
    path: PathLookup,
    capacities: readonly number[],
  ) {
    this.times = Float64Array.from(ready);
    this.#schedule = schedule;
    this.#path = path;
    this.#simulation = new FlowSimulation(capacities);
    this.#unread = schedule.rounds()[Symbol.iterator]();
    this.#position = new Int32Array(ready.length).fill(-1);
  }

  run(): void {
    for (let member = 0; member < this.times.length; member++) this.#advance(member);
    for (let event = this.#simulation.next(); event !== undefined; event = this.#simulation.next())
      for (const transfer of event.arrived) this.#arrive(transfer, event.time);
    invariant(this.#live.size === 0, `${this.#live.size} rounds of a schedule that nobody can leave`);
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
      if (next === undefined) return;
      for (const { target, bytes } of next.outgoing.get(member) ?? [])
        this.#send(next, member, target, bytes);
    }
  }

  #send(round: LiveRound, source: number, target: number, bytes: number): void {
    const { ranks } = this.#schedule;
    const path = this.#path(ranks[source]!, ranks[target]!);
    const { delay, size } = path.draw(bytes, this.times[source]!);
    const begin = this.times[source]! + delay;
    const { resources, rate: limit, weight } = path;
    this.#simulation.start({ resources, limit, weight, size, begin, round, source, target });
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
      const transfer = { target, bytes: transferBytes(this.#schedule.chunkBytes, round, i) };
      const own = outgoing.get(source);
      if (own === undefined) outgoing.set(source, [transfer]);
      else own.push(transfer);
    }
    return { outgoing, open, inside: this.times.length };
  }
}

/** When each member is done, given when each is ready; `capacities` are bytes per second by resource number. */
export function timeByFlows(
  schedule: TransferSchedule,
  ready: readonly Seconds[],
  path: PathLookup,
  capacities: readonly number[],
): Float64Array {
  const replay = new Replay(schedule, ready, path, capacities);
  replay.run();
  return replay.times;
}
