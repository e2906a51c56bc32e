// One collective while its members arrive: who is there, with what. Members are matched by group and call order.

import type { Rank } from "@atoll/core";
import { listed } from "@atoll/network";
import { type Call, callsMatch, describeCall, mismatch } from "./collective.ts";
import type { Started } from "./started.ts";

export interface Arrival {
  /** The member's own call: its codec may draw random numbers of its own. */
  readonly call: Call;
  /** What the member brings: one vector, or for all-to-all one a member. In-place results are written here. */
  readonly vectors: readonly Float32Array[];
  readonly started: Started<readonly Float32Array[]>;
  /** Whether the member goes on computing meanwhile. */
  readonly overlaps: boolean;
}

export class Gathering {
  /** Place in the group's sequence of calls, from 1. */
  readonly number: number;
  readonly #ranks: readonly Rank[];
  readonly #arrivals: (Arrival | undefined)[];
  #missing: number;
  #first: { readonly rank: Rank; readonly call: Call } | undefined;

  constructor(ranks: readonly Rank[], number: number) {
    this.#ranks = ranks;
    this.number = number;
    this.#arrivals = ranks.map(() => undefined);
    this.#missing = ranks.length;
  }

  /** @throws RunError if the call is not the one that the first member made */
  check(member: number, call: Call): void {
    const rank = this.#ranks[member]!;
    this.#first ??= { rank, call };
    if (callsMatch(this.#first.call, call)) return;
    const told = ({ rank, call }: { readonly rank: Rank; readonly call: Call }) => ({
      rank,
      text: describeCall(call),
    });
    throw mismatch(this.number, this.#ranks, told(this.#first), told({ rank, call }));
  }

  /** @returns all members' arrivals, in their order, once the last is there */
  add(member: number, arrival: Arrival): readonly Arrival[] | undefined {
    this.#arrivals[member] = arrival;
    this.#missing--;
    return this.#missing === 0 ? (this.#arrivals as readonly Arrival[]) : undefined;
  }

  /** "allReduce(sum of 10 floats) #3, for ranks 1, 2": what a member that is there waits for. */
  describe(): string {
    const missing = this.#ranks.filter((_, member) => this.#arrivals[member] === undefined);
    return `${this.#first === undefined ? "a collective" : describeCall(this.#first.call)} #${this.number}, for ${listed("rank", missing)}`;
  }
}
