// What nodes had when they began the round that they are in: those that wait for others hand it on, so that who is back
// does the round, too.

import type { SimulatedWorld } from "@atoll/comm";
import type { Rank } from "@atoll/core";
import type { NodeMemories } from "./nodeMemory.ts";
import type { FaultPlan } from "./policy.ts";

export interface RoundBeginsOptions {
  readonly plan: FaultPlan;
  readonly world: Pick<SimulatedWorld, "isSettled">;
  readonly memory: Pick<NodeMemories, "keep">;
}

/** By rank: the step that the node's round began with, and whether what it had then is kept; null of nodes without a state. */
export type RoundBeginsSnapshot = readonly ({ readonly step: number; readonly kept: boolean } | null)[];

export class RoundBegins {
  readonly #options: RoundBeginsOptions;
  /** By node that has a state: the step that its round began with, or begins with once it has it all. */
  readonly #steps = new Map<Rank, number>();
  /** Nodes whose memory of that was kept. */
  readonly #kept = new Set<Rank>();

  constructor(options: RoundBeginsOptions) {
    this.#options = options;
  }

  /** A node begins a round. Nothing is kept that nobody could ask for, or that open calls would still change. */
  keep(rank: Rank, step: number): void {
    const { plan, world, memory } = this.#options;
    const { policy, recovery, schedule } = plan;
    const waits = policy.kind === "wait" && recovery === "peer" && schedule.affectsLinks;
    this.willBegin(rank, step);
    if (!(waits || policy.kind === "quorum") || !world.isSettled(rank)) return;
    memory.keep(rank);
    this.#kept.add(rank);
  }

  keeps(rank: Rank): boolean {
    return this.#kept.has(rank);
  }

  snapshot(worldSize: number): RoundBeginsSnapshot {
    return Array.from({ length: worldSize }, (_, rank) => {
      const step = this.#steps.get(rank);
      return step === undefined ? null : { step, kept: this.#kept.has(rank) };
    });
  }

  /** What is kept of nodes is what they remember now, until they are told otherwise. */
  restore(snapshot: RoundBeginsSnapshot): void {
    this.#steps.clear();
    this.#kept.clear();
    for (const [rank, begin] of snapshot.entries()) {
      if (begin === null) continue;
      this.#steps.set(rank, begin.step);
      if (!begin.kept) continue;
      this.#options.memory.keep(rank);
      this.#kept.add(rank);
    }
  }

  /** A node is given a state. */
  willBegin(rank: Rank, step: number): void {
    this.forget(rank);
    this.#steps.set(rank, step);
  }

  /** A node has lost its state. */
  forget(rank: Rank): void {
    this.#steps.delete(rank);
    this.#kept.delete(rank);
  }

  /** Whether a node that stands can hand on what it began with. */
  canHandOn(rank: Rank): boolean {
    return this.#kept.has(rank) && this.#options.world.isSettled(rank);
  }

  /** Steps that a node with a state had done when it began its round; undefined if it has not begun one yet. */
  step(rank: Rank): number | undefined {
    return this.#steps.get(rank);
  }
}
