// One meeting of the nodes before an exchange: who has come, and by the policy when those that are there go on. It knows
// neither clocks nor networks: it is told who can be reached, and answers with a decision or when to ask again.

import type { Rank, Seconds } from "@atoll/core";
import type { Wait } from "@atoll/network";
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
  /** Nodes that are back and wait to be given their state: nobody waits for them in this exchange. */
  readonly returned: ReadonlySet<Rank>;
  /** Nodes that reach each other, as far as the policy cares. */
  readonly reachable: (rank: Rank) => boolean;
  /** Nodes that have not crashed: whoever was connected to one that has is told at once. */
  readonly isRunning: (rank: Rank) => boolean;
  /** When the nodes that were given their state have it all. */
  readonly latestReturn: number;
}

export class Meeting {
  readonly step: number;
  /** Of an exchange that broke off: its members. */
  readonly among: readonly Rank[] | undefined;
  /** Whether those are only some of the nodes that had met; all of them had their quorum. */
  readonly isPart: boolean;
  readonly arrivals: Map<Rank, Attendance> = new Map();
  /** The moments at which it will be looked at again. */
  readonly alarms: Set<number> = new Set();

  constructor(step: number, among: readonly Rank[] | undefined, isPart: boolean) {
    this.step = step;
    this.among = among;
    this.isPart = isPart;
  }

  /** Whether it waits for a quorum that all nodes that have a state are not. */
  isShort(policy: MissingPolicy, { worldSize, current, isRunning, reachable }: Circumstances): boolean {
    if (policy.kind !== "quorum" || this.isPart) return false;
    const able = current.filter((rank) => isRunning(rank) && reachable(rank));
    return able.length < quorumOf(policy.fraction, worldSize);
  }

  /** @returns what is known; undefined while only a node's coming or a link's can decide */
  decide(policy: MissingPolicy, circumstances: Circumstances): Decision | undefined {
    const { expected, returned, reachable, now, latestReturn } = circumstances;
    const come = [...this.arrivals.keys()].filter(reachable).sort((a, b) => a - b);
    if (come.length === 0) return undefined;
    const isThere = (rank: Rank): boolean => come.includes(rank) || returned.has(rank);
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
