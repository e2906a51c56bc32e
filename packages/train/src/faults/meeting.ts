// One meeting of the nodes before an exchange: who has come, and by the policy when those that are there go on. It knows
// neither clocks nor networks: it is told who can be reached, and answers with a decision or when to ask again.

import type { Rank, Seconds } from "@atoll/core";
import { listed, type Wait } from "@atoll/network";
import type { MissingPolicy } from "../strategies/whenMissing.ts";
import { quorumOf } from "./policy.ts";

export interface Attendance {
  readonly at: Seconds;
  /** Ends with the ranks that take part. */
  readonly wait: Wait<readonly Rank[]>;
}

/** Those that take part go on at `at`, or each when it came if nobody was waited for in vain. */
export type Decision =
  | { readonly kind: "begin"; readonly participants: readonly Rank[]; readonly at: number | undefined }
  | { readonly kind: "askAgain"; readonly at: number };

export interface Circumstances {
  readonly now: number;
  readonly worldSize: number;
  /** Nodes that the others still count on. */
  readonly expected: ReadonlySet<Rank>;
  /** Nodes that have a state, as far as they have not crashed. */
  readonly current: readonly Rank[];
  /** Nodes that are back and wait to be given their state, which they are after the exchange unless it waits for them. */
  readonly returned: ReadonlySet<Rank>;
  /** Whether a node can hand on what it had when the round began. */
  readonly canHandOn: (rank: Rank) => boolean;
  /** Steps that a node with a state had done when it began its round, where that is known. */
  readonly begunAt: (rank: Rank) => number | undefined;
  /** Nodes that reach each other, as far as the policy cares. */
  readonly reachable: (rank: Rank) => boolean;
  /** Nodes that have not crashed: whoever was connected to one that has is told at once. */
  readonly isRunning: (rank: Rank) => boolean;
  /** When the nodes that were given their state have it all. */
  readonly latestReturn: number;
}

export class Meeting {
  readonly step: number;
  /** Steps that its members had done when they began the round before it. */
  readonly begun: number;
  /** Of an exchange that broke off: its members. */
  readonly among: readonly Rank[] | undefined;
  /** Whether those are only some of the nodes that had met; all of them had their quorum. */
  readonly isPart: boolean;
  readonly arrivals: Map<Rank, Attendance> = new Map();
  /** The moments at which it will be looked at again. */
  readonly alarms: Set<number> = new Set();

  constructor({ step, begun, among, isPart }: Pick<Meeting, "step" | "begun" | "among" | "isPart">) {
    this.step = step;
    this.begun = begun;
    this.among = among;
    this.isPart = isPart;
  }

  /** What its nodes wait for: "the exchange after step 3, where rank 2 is and ranks 0, 1 are not". */
  describe(worldSize: number): string {
    const there = [...this.arrivals.keys()].sort((a, b) => a - b);
    const missing = Array.from({ length: worldSize }, (_, rank) => rank).filter(
      (rank) => !this.arrivals.has(rank),
    );
    const are = (ranks: readonly Rank[]): string =>
      `${listed("rank", ranks)} ${ranks.length === 1 ? "is" : "are"}`;
    return `the exchange after step ${this.step}, where ${are(there)} and ${are(missing)} not`;
  }

  /**
   * Nodes that are back and that it waits for all the same: under `wait` all of its own, under a quorum any, if those that
   * have a state are too few. Ascending.
   */
  lacking(policy: MissingPolicy, circumstances: Circumstances): readonly Rank[] {
    const { worldSize, current, returned, isRunning, reachable } = circumstances;
    const back = [...returned].sort((a, b) => a - b);
    if (policy.kind === "wait") return back.filter((rank) => this.among?.includes(rank) !== false);
    if (policy.kind !== "quorum" || this.isPart) return [];
    const able = current.filter((rank) => isRunning(rank) && reachable(rank));
    return able.length < quorumOf(policy.fraction, worldSize) ? back : [];
  }

  /** @returns what is known; undefined while only a node's coming or a link's can decide */
  decide(policy: MissingPolicy, circumstances: Circumstances): Decision | undefined {
    const { expected, returned, reachable, canHandOn, begunAt, now, latestReturn } = circumstances;
    const come = [...this.arrivals.keys()].filter(reachable).sort((a, b) => a - b);
    if (come.length === 0) return undefined;
    // Who can be given what the others began with is waited for, and comes.
    const comesLater = policy.kind === "wait" && come.some(canHandOn);
    const isThere = (rank: Rank): boolean =>
      come.includes(rank) || (returned.has(rank) && !comesLater) || this.#isPast(begunAt(rank));
    const all = this.#all(circumstances);
    const awaited = policy.kind === "wait" ? all : all.filter((rank) => expected.has(rank));
    const needed = this.#needed(policy, awaited, circumstances);
    if (come.length < needed) return undefined;
    if (awaited.every(isThere)) {
      const last = Math.max(...come.map((rank) => this.arrivals.get(rank)!.at));
      return { kind: "begin", participants: come, at: now <= last ? undefined : now };
    }
    if (policy.kind !== "timeout" && policy.kind !== "quorum") return undefined;
    const times = come.map((rank) => this.arrivals.get(rank)!.at as number).sort((a, b) => a - b);
    const enough = times[needed - 1]!;
    const deadline = Math.max(enough, latestReturn) + policy.seconds;
    if (deadline > now) return { kind: "askAgain", at: deadline };
    // Who comes after the deadline is too late, even if it is known already.
    const inTime = come.filter((rank) => this.arrivals.get(rank)!.at <= now);
    return { kind: "begin", participants: inTime, at: now };
  }

  /** Whether a node that began its round after so many steps is past the exchange: it was given a state of later. */
  #isPast(begun: number | undefined): boolean {
    return this.among !== undefined && begun !== undefined && begun > this.begun;
  }

  /** Whether a node that began its round after so many steps comes to the exchange, or has come. */
  awaits(begun: number | undefined): boolean {
    return begun !== undefined && begun <= this.begun;
  }

  #all({ worldSize }: Circumstances): readonly Rank[] {
    return this.among ?? Array.from({ length: worldSize }, (_, rank) => rank);
  }

  /** Nodes without which nothing begins. */
  #needed(policy: MissingPolicy, awaited: readonly Rank[], circumstances: Circumstances): number {
    const { worldSize, isRunning, reachable } = circumstances;
    if (policy.kind === "quorum" && !this.isPart) return quorumOf(policy.fraction, worldSize);
    if (policy.kind !== "timeout") return 1;
    const possible = awaited.filter((rank) => isRunning(rank) && reachable(rank));
    return Math.max(1, Math.ceil(possible.length / 2));
  }
}
