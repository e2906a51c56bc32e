// The life of a node that is a process, where a run goes on without those that are lost: an exchange that breaks off is
// undone, and stands still until rank 0 has said who is left to begin it again.

import { type Communicator, PeerLostError } from "@atoll/comm";
import { invariant, type Rank } from "@atoll/core";
import type { NodeLife, Rounds } from "../../faults/nodeLife.ts";
import { MemoryCopy, type NodeMemory } from "../../faults/nodeMemory.ts";
import { LeftBehind } from "../../faults/signals.ts";

/** What a life needs of the rank's world. */
export interface LifeWorld {
  readonly communicator: Communicator;
  advance(epoch: number): void;
  callsMade(): number;
  withdraw(since: number): void;
  isSettled(): boolean;
  keepOverlapping(): void;
  forgetOverlapping(which: "waited" | "all"): void;
  beginAgain(left: readonly Rank[]): Promise<void>;
}

/** Why ranks go on in another group: some were lost, and calls with them, or some are back, and all calls have ended. */
export type RegroupCause = "loss" | "return";

/** When a node had what is asked for. */
export type Moment = "now" | "begin";

/** A round's begin. */
interface Begin {
  /** Steps done. */
  readonly step: number;
  /** Made by then. */
  readonly calls: number;
}

export class ProcessLife implements NodeLife {
  readonly #world: LifeWorld;
  readonly #memory: NodeMemory;
  /** Whether what the node has when it begins a round is kept. */
  readonly #keeps: boolean;
  /** Of what it had when it began the exchange. */
  #copy: MemoryCopy | undefined;
  /** Of what it had when it began the round. */
  #kept: MemoryCopy | undefined;
  #begin: Begin | undefined;
  #communicator: Communicator;
  /** Exchanges that the node has been through. */
  #exchanges = 0;
  /** Of the exchange that stands still. */
  #standing: PromiseWithResolvers<void> | undefined;
  #untilBroken = Promise.withResolvers<void>();

  constructor(world: LifeWorld, memory: NodeMemory, { keeps }: { readonly keeps: boolean }) {
    this.#world = world;
    this.#memory = memory;
    this.#keeps = keeps;
    this.#communicator = world.communicator;
    world.keepOverlapping();
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

  /** When the node began the round that it is in, if what it had then is kept: calls that were open would change that. */
  get begin(): Begin | undefined {
    return this.#begin;
  }

  boundary(step: number): void {
    this.#begin = undefined;
    if (!this.#keeps || !this.#world.isSettled()) return;
    this.#kept ??= new MemoryCopy(this.#memory);
    this.#kept.take();
    this.#begin = { step, calls: this.#world.callsMade() };
  }

  /** Reads the node's memory as it was when the round began. The node stands still in the exchange. */
  asAtBegin<T>(read: () => T): T {
    invariant(this.isStanding && this.#begin !== undefined, "the node stands, and its begin is kept");
    this.#kept!.putBack();
    try {
      return read();
    } finally {
      // Who stands has put back what it began the exchange with.
      this.#copy!.putBack();
    }
  }

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
        this.#world.forgetOverlapping("waited");
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

  /**
   * The nodes that go on together, from a new epoch of the world on. What overlaps with computing and broke off is begun again
   * by those that are left; once some are back, who have only its results, nobody can do that.
   */
  async regroup(members: readonly Rank[], epoch: number, cause: RegroupCause): Promise<void> {
    this.#world.advance(epoch);
    const everyone = this.#world.communicator;
    const isMember = members.includes(everyone.rank);
    if (isMember)
      this.#communicator = members.length === everyone.worldSize ? everyone : everyone.group(members);
    if (!isMember || cause === "return") this.#world.forgetOverlapping("all");
    await this.#world.beginAgain(members);
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
