// A group of ranks: counts its members' calls, so that they meet in the right collective, and keeps the schedules that it
// has used last, since a training run makes the same few calls over and over.

import type { Rank } from "@atoll/core";
import type { Topology } from "@atoll/network";
import { type Call, describeCall, scheduleOf } from "./collective.ts";
import { Gathering } from "./gathering.ts";
import { type Trace, trace } from "./interpret.ts";
import type { Schedule } from "./schedule.ts";

export interface Plan {
  readonly schedule: Schedule;
  readonly trace: Trace;
}

const KEPT_PLANS = 8;

export class Group {
  readonly ranks: readonly Rank[];
  readonly #topology: Topology;
  /** Calls of each member so far. */
  readonly #calls: number[];
  /** Collectives that some members have not come to, by call number. */
  readonly #open = new Map<number, Gathering>();
  readonly #plans = new Map<string, Plan>();

  constructor(ranks: readonly Rank[], topology: Topology) {
    this.ranks = ranks;
    this.#topology = topology;
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

  /** @param lengths each member's part, in elements */
  plan(call: Call, lengths: readonly number[]): Plan {
    const key = call.operation === "allGather" ? `allGather(${lengths.join()})` : describeCall(call);
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      const schedule = scheduleOf(call, lengths, { ranks: this.ranks, topology: this.#topology });
      plan = { schedule, trace: trace(schedule) };
      const oldest = this.#plans.keys().next();
      if (this.#plans.size === KEPT_PLANS && !oldest.done) this.#plans.delete(oldest.value);
      this.#plans.set(key, plan);
    }
    return plan;
  }
}
