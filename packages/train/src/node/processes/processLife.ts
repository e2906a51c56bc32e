// The life of a node that is a process, where a run goes on without those that are lost: an exchange that breaks off is
// undone, and stands still until rank 0 has said who is left to begin it again.

import { type Communicator, PeerLostError } from "@atoll/comm";
import type { Rank } from "@atoll/core";
import type { NodeLife, Rounds } from "../../faults/nodeLife.ts";
import { MemoryCopy, type NodeMemory } from "../../faults/nodeMemory.ts";
import { LeftBehind } from "../../faults/signals.ts";

/** What a life needs of the rank's world. */
export interface LifeWorld {
  readonly communicator: Communicator;
  advance(epoch: number): void;
  callsMade(): number;
  withdraw(since: number): void;
}

export class ProcessLife implements NodeLife {
  readonly #world: LifeWorld;
  readonly #memory: NodeMemory;
  #copy: MemoryCopy | undefined;
  #communicator: Communicator;
  /** Exchanges that the node has been through. */
  #exchanges = 0;
  /** Of the exchange that stands still. */
  #standing: PromiseWithResolvers<void> | undefined;
  #untilBroken = Promise.withResolvers<void>();

  constructor(world: LifeWorld, memory: NodeMemory) {
    this.#world = world;
    this.#memory = memory;
    this.#communicator = world.communicator;
  }

  get communicator(): Communicator {
    return this.#communicator;
  }

  get exchanges(): number {
    return this.#exchanges;
  }

  /** Whether an exchange has broken off and stands still. */
  get isStanding(): boolean {
    return this.#standing !== undefined;
  }

  /** Ends when an exchange has broken off. */
  get broken(): Promise<void> {
    return this.#untilBroken.promise;
  }

  live(rounds: Rounds): Promise<void> {
    return rounds.run();
  }

  boundary(): void {}

  async durations<T>(undisturbed: T): Promise<T> {
    return undisturbed;
  }

  async exchange<T>(_: number, run: () => Promise<T>): Promise<T> {
    this.#copy ??= new MemoryCopy(this.#memory);
    this.#copy.take();
    for (;;) {
      const calls = this.#world.callsMade();
      try {
        const result = await run();
        this.#exchanges++;
        return result;
      } catch (error) {
        if (!(error instanceof PeerLostError)) throw error;
        this.#copy.putBack();
        this.#world.withdraw(calls);
        this.#standing = Promise.withResolvers();
        this.#untilBroken.resolve();
        await this.#standing.promise;
      }
    }
  }

  /** The nodes that go on together, from a new epoch of the world on. */
  regroup(members: readonly Rank[], epoch: number): void {
    this.#world.advance(epoch);
    const everyone = this.#world.communicator;
    const isMember = members.includes(everyone.rank);
    if (isMember)
      this.#communicator = members.length === everyone.worldSize ? everyone : everyone.group(members);
  }

  /** What stands still is begun again. */
  goOn(): void {
    this.#untilBroken = Promise.withResolvers();
    this.#standing?.resolve();
    this.#standing = undefined;
  }

  /** The others have gone on: what stands still is given up. @param exchanges those that the node's new state has been through */
  giveUp(rank: Rank, exchanges: number): void {
    this.#exchanges = exchanges;
    this.#standing?.reject(new LeftBehind(rank));
    this.#standing = undefined;
  }
}
