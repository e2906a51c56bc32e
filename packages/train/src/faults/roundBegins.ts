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

export class RoundBegins {
  readonly #options: RoundBeginsOptions;
  /** By node, as far as its memory was kept: the step that it is of. */
  readonly #steps = new Map<Rank, number>();

  constructor(options: RoundBeginsOptions) {
    this.#options = options;
  }

  /** A node begins a round. Nothing is kept that nobody could ask for, or that open calls would still change. */
  keep(rank: Rank, step: number): void {
    const { plan, world, memory } = this.#options;
    const { policy, recovery, schedule } = plan;
    const waits = policy.kind === "wait" && recovery === "peer" && schedule.affectsLinks;
    if (!(waits || policy.kind === "quorum") || !world.isSettled(rank)) this.#steps.delete(rank);
    else {
      memory.keep(rank);
      this.#steps.set(rank, step);
    }
  }

  /** Whether a node that stands can hand on what it began with. */
  canHandOn(rank: Rank): boolean {
    return this.#steps.has(rank) && this.#options.world.isSettled(rank);
  }

  /** Steps that a node that can hand on had done. */
  step(rank: Rank): number {
    return this.#steps.get(rank)!;
  }
}
