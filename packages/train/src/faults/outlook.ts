// What lies ahead of a run's nodes: faults are known beforehand as functions of simulated time, so whether a node lives to
// see the end of what it begins, and whether a call of the communicator breaks off, can be said when it begins.

import type { Disruption, Disruptions, Undertaking } from "@atoll/comm";
import { type Rank, type Seconds, seconds } from "@atoll/core";
import { components, type Downtime, type Topology } from "@atoll/network";
import type { FaultPlan } from "./policy.ts";

/** Changes of links that are looked at within one call of the communicator. */
const MOST_CHANGES = 10_000;

export class Outlook implements Disruptions {
  readonly #plan: FaultPlan;
  readonly #topology: Topology;
  /** Between two changes of links: the parts of the network, the largest first. */
  #steady: { readonly from: number; readonly until: number; readonly parts: readonly ReadonlySet<Rank>[] } = {
    from: Number.POSITIVE_INFINITY,
    until: Number.NEGATIVE_INFINITY,
    parts: [],
  };
  #hasState: (rank: Rank) => boolean = () => true;

  constructor(plan: FaultPlan, topology: Topology) {
    this.#plan = plan;
    this.#topology = topology;
  }

  /** From here on it asks which nodes have a state, which no others can go on without. */
  follow(hasState: (rank: Rank) => boolean): void {
    this.#hasState = hasState;
  }

  /** How many times as long a step takes that begins at a moment. */
  slowdown(rank: Rank, at: number): number {
    return this.#plan.schedule.slowdown(rank, at);
  }

  /** The crash that a node would meet before something is done, if any. */
  crashBefore(rank: Rank, from: number, until: number): Downtime | undefined {
    const downtime = this.#plan.schedule.nextDowntime(rank, from);
    return downtime !== undefined && downtime.from <= until ? downtime : undefined;
  }

  /**
   * The nodes that a policy other than waiting goes on with are those of the largest part of the network in which one has a
   * state, as things are now: of a later moment, too.
   */
  reachable(at: number): (rank: Rank) => boolean {
    const plan = this.#plan;
    if (plan.policy.kind === "wait" || plan.policy.kind === "none") return () => true;
    if (!(at >= this.#steady.from && at < this.#steady.until))
      this.#steady = {
        from: at,
        until: plan.schedule.nextChange(at),
        parts: components(this.#topology, plan.schedule, at),
      };
    const { parts } = this.#steady;
    const part = parts.find((ranks) => [...ranks].some(this.#hasState)) ?? parts[0];
    return (rank) => part?.has(rank) === true;
  }

  losses(ranks: readonly Rank[], ready: readonly Seconds[]): readonly number[] {
    return ranks.map(
      (rank, member) =>
        this.#plan.schedule.nextDowntime(rank, ready[member]!)?.from ?? Number.POSITIVE_INFINITY,
    );
  }

  find({ ranks, ready, end }: Undertaking): Disruption | undefined {
    let at = Number.POSITIVE_INFINITY;
    let lost: Rank[] = [];
    ranks.forEach((rank, member) => {
      const downtime = this.crashBefore(rank, ready[member]!, end[member]!);
      if (downtime === undefined) return;
      const crash = Math.max(downtime.from, ready[member]!);
      if (crash < at) [at, lost] = [crash, []];
      if (crash === at) lost.push(rank);
    });
    const split = this.#split(ranks, Math.max(...ready), Math.min(at, Math.max(...end)));
    if (split !== undefined && split.at < at) return split;
    return lost.length === 0 ? undefined : { at: seconds(at), lost };
  }

  /** The first time within [from, until) that some of these ranks are cut off for longer than the policy has patience. */
  #split(ranks: readonly Rank[], from: number, until: number): Disruption | undefined {
    const plan = this.#plan;
    if (plan.policy.kind !== "timeout" && plan.policy.kind !== "quorum") return undefined;
    const patience = plan.policy.seconds;
    const outside = (at: number): readonly Rank[] => {
      const reachable = this.reachable(at);
      return ranks.filter((rank) => plan.schedule.isRunning(rank, at) && !reachable(rank));
    };
    let at = from;
    for (let changes = 0; at < until && changes < MOST_CHANGES; changes++) {
      const lost = outside(at);
      const next = plan.schedule.nextChange(at);
      if (lost.length === 0) {
        at = next;
        continue;
      }
      let healed = next;
      while (healed < at + patience && outside(healed).length > 0) healed = plan.schedule.nextChange(healed);
      if (healed > at + patience) return { at: seconds(at + patience), lost };
      at = healed;
    }
    return undefined;
  }
}
