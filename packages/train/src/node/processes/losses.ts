// Ranks that are lost, seen from rank 0, and what becomes of what they are asked.

import { type Rank, RunError } from "@atoll/core";
import type { Presence } from "./presence.ts";
import type { RankCommands } from "./rank.ts";
import { lostOf, RanksLostError } from "./remoteRank.ts";

export interface LossesOptions {
  /** All ranks, this process's own first. */
  readonly ranks: readonly RankCommands[];
  readonly presence: Presence;
  /** Why a rank is lost, as the end of a sentence about it. */
  readonly fate: (rank: Rank) => Promise<string>;
  /** After this a rank that another has lost is lost to rank 0 as well, in milliseconds. */
  readonly timeoutMs: number;
  /** Steps that are told of as done; all ranks stood still together after fewer. */
  readonly stepsDone: () => number;
}

export class Losses {
  readonly #options: LossesOptions;
  readonly #lost = new Set<Rank>();
  #onLost = Promise.withResolvers<void>();

  constructor(options: LossesOptions) {
    this.#options = options;
  }

  add(rank: Rank): void {
    this.#lost.add(rank);
    this.#onLost.resolve();
    this.#onLost = Promise.withResolvers();
  }

  /** A new process has come for a rank. */
  remove(rank: Rank): void {
    this.#lost.delete(rank);
  }

  has(rank: Rank): boolean {
    return this.#lost.has(rank);
  }

  /** Waits until one of these is known to be lost: a rank may have noticed it before rank 0 has. */
  async untilLost(among: readonly Rank[], step: number): Promise<void> {
    const isKnown = (): boolean => among.some((rank) => this.#isGone(rank));
    const expired = new Promise<void>((resolve) => setTimeout(resolve, 2 * this.#options.timeoutMs).unref());
    if (!isKnown()) await Promise.race([this.#onLost.promise, expired]);
    if (!isKnown())
      throw new RunError(
        `The run cannot go on after step ${step}: ranks have lost each other, though rank 0 reaches all of them. Check the network between them.`,
      );
  }

  /** Where a run survives it, a rank that is lost has no answer. */
  async unlessLost<T>(rank: Rank, answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (!this.#options.presence.survives || !this.#isGone(rank)) throw error;
      return undefined;
    }
  }

  /** Whether the process that a rank was is lost, be there another by now or not. */
  #isGone(rank: Rank): boolean {
    return this.#lost.has(rank) || !this.#options.presence.present.includes(rank);
  }

  /** @returns by rank what those say that are there, in ascending order; who is lost is found to be when the others go on */
  async ask<T>(question: (rank: RankCommands) => Promise<T>): Promise<ReadonlyMap<Rank, T>> {
    const { ranks, presence } = this.#options;
    const ask = async (rank: Rank): Promise<readonly (readonly [Rank, T])[]> => {
      const answer = await this.unlessLost(rank, question(ranks[rank]!));
      return answer === undefined ? [] : [[rank, answer]];
    };
    try {
      return new Map((await Promise.all(presence.present.map(ask))).flat());
    } catch (error) {
      throw await this.explained(error);
    }
  }

  /** What goes wrong when a rank is gone goes wrong in many places: the rank is what to tell of. */
  async explained(error: unknown): Promise<unknown> {
    const lost = [...new Set([...this.#lost, ...lostOf(error)])].sort((a, b) => a - b);
    if (lost.length === 0) return error;
    const { fate, stepsDone } = this.#options;
    const fates = await Promise.all(lost.map(async (rank) => `rank ${rank} is lost: ${await fate(rank)}`));
    return new RanksLostError(`The run cannot go on after step ${stepsDone()}: ${fates.join("; ")}.`, lost);
  }
}
