// A group of ranks: counts its members' calls, so that they meet in the right collective, and keeps the schedules that it
// has used last, since a training run makes the same few calls over and over.

import type { Rank } from "@atoll/core";
import type { Network } from "@atoll/network";
import { type Call, describeCall, scheduleOf } from "./collective.ts";
import { Gathering } from "./gathering.ts";
import { type Trace, trace } from "./interpret.ts";
import { bytesSentBy, type Schedule } from "./schedule.ts";

export interface Plan {
  readonly schedule: Schedule;
  /** What the schedule leaves with whom; undefined where that does not depend on the schedule. */
  readonly trace: Trace | undefined;
  /** Bytes that each member sends. */
  readonly bytesSent: Float64Array;
}

const KEPT_PLANS = 8;

export class Group {
  readonly ranks: readonly Rank[];
  readonly #network: Network;
  /** Calls of each member so far. */
  readonly #calls: number[];
  /** Collectives that some members have not come to, by call number. */
  readonly #open = new Map<number, Gathering>();
  readonly #plans = new Map<string, Plan>();

  constructor(ranks: readonly Rank[], network: Network) {
    this.ranks = ranks;
    this.#network = network;
    this.#calls = ranks.map(() => 0);
  }

  /** True while some member waits for others. */
  get isGathering(): boolean {
    return this.#open.size > 0;
  }

  /** The collective that a member's next call belongs to. @throws RunError if it is not the call the others made */
  enter(member: number, call: Call): Gathering {
    const number = ++this.#calls[member]!;
    let gathering = this.#open.get(number);
    if (gathering === undefined) {
      gathering = new Gathering(this.ranks, number);
      this.#open.set(number, gathering);
    }
    gathering.check(member, call);
    return gathering;
  }

  /** Forgets a collective that all members have come to. */
  close(gathering: Gathering): void {
    this.#open.delete(gathering.number);
  }

  /** @param lengths the vectors that the members bring, in elements, all those of member 0 first */
  plan(call: Call, lengths: readonly number[]): Plan {
    const key = bringsOwnLength(call)
      ? `${call.operation} ${rootOf(call)} ${lengths.join()}`
      : describeCall(call);
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      const { topology } = this.#network;
      const tryOut = this.#network.tryOut.bind(this.#network);
      const schedule = scheduleOf(call, lengths, { ranks: this.ranks, topology, tryOut });
      const traced = reduces(call) ? trace(schedule) : undefined;
      plan = { schedule, trace: traced, bytesSent: traced?.bytesSent ?? bytesSentBy(schedule) };
      const oldest = this.#plans.keys().next();
      if (this.#plans.size === KEPT_PLANS && !oldest.done) this.#plans.delete(oldest.value);
      this.#plans.set(key, plan);
    }
    return plan;
  }
}

const bringsOwnLength = ({ operation }: Call): boolean =>
  operation === "allGather" || operation === "allToAll" || operation === "gather";

const rootOf = (call: Call): string => ("root" in call ? String(call.root) : "");

/** Whether the values depend on the order in which the schedule adds; encoded shards are added in the members' order. */
const reduces = (call: Call): boolean =>
  (call.operation === "allReduce" && call.codec === undefined) ||
  call.operation === "reduceScatter" ||
  call.operation === "broadcast";
