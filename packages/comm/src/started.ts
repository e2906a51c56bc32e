// A call that a rank has started: it learns at some point how it ends, and the rank waits for it at some other. Whichever
// comes first, the rank goes on when both have come and the later of the two moments is reached.

import { type Rank, RunError, type Seconds, seconds } from "@atoll/core";
import type { VirtualClock, Wait } from "@atoll/network";
import type { Handle } from "./communicator.ts";

/** How a call ends, for one member. */
export interface Outcome<T> {
  /** When nothing but bytes was missing: all members had come, or the message was sent. */
  readonly lastReady: Seconds;
  readonly end: Seconds;
  readonly bytes: number;
  readonly value: T;
}

export interface StartedOptions<T> {
  readonly id: number;
  readonly rank: Rank;
  readonly clock: VirtualClock;
  /** What the rank waits for, if the run deadlocks. */
  readonly describe: () => string;
  readonly signal?: AbortSignal | undefined;
  /** The rank goes on, having waited since `from`. */
  readonly onEnd: (outcome: Outcome<T>, from: Seconds) => void;
  /** The rank has waited since `from`, and learns at a time that the call broke off. */
  readonly onBroken: (from: Seconds, at: Seconds) => void;
}

/** A call that breaks off, and when its rank learns of that. */
interface Breach {
  readonly at: Seconds;
  readonly error: unknown;
}

export class Started<T> implements Handle<T> {
  readonly id: number;
  readonly ready: Seconds;
  readonly #options: StartedOptions<T>;
  #outcome: Outcome<T> | undefined;
  #breach: Breach | undefined;
  #waiting: { readonly from: Seconds; readonly wait: Wait<T> } | undefined;
  #waited = false;

  constructor(options: StartedOptions<T>) {
    this.#options = options;
    this.id = options.id;
    this.ready = options.clock.forRank(options.rank).now();
  }

  get outcome(): Outcome<T> | undefined {
    return this.#outcome;
  }

  settle(outcome: Outcome<T>): void {
    this.#outcome = outcome;
    if (this.#waiting !== undefined) this.#leave(outcome, this.#waiting.from, this.#waiting.wait);
  }

  /** The call has no outcome: its rank gets the error at a time, or when it waits, if that is later. */
  breakOff(at: Seconds, error: unknown): void {
    this.#breach = { at, error };
    if (this.#waiting !== undefined) this.#fail(this.#breach, this.#waiting.from, this.#waiting.wait);
  }

  async wait(): Promise<T> {
    const { rank, clock, describe, signal } = this.#options;
    if (this.#waited) throw new RunError(`Rank ${rank} waits a second time for the same handle.`);
    signal?.throwIfAborted();
    this.#waited = true;
    const from = clock.forRank(rank).now();
    const outcome = this.#outcome;
    if (outcome !== undefined && outcome.end <= from) {
      this.#options.onEnd(outcome, from);
      return outcome.value;
    }
    const wait = clock.wait<T>(rank, describe);
    if (outcome !== undefined) this.#leave(outcome, from, wait);
    else if (this.#breach !== undefined) this.#fail(this.#breach, from, wait);
    else this.#waiting = { from, wait };
    if (signal === undefined) return wait.promise;
    const abort = (): void => wait.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await wait.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #leave(outcome: Outcome<T>, from: Seconds, wait: Wait<T>): void {
    this.#options.onEnd(outcome, from);
    wait.resolveAt(seconds(Math.max(from, outcome.end)), outcome.value);
  }

  #fail({ at, error }: Breach, from: Seconds, wait: Wait<T>): void {
    const learned = seconds(Math.max(from, at));
    this.#options.onBroken(from, learned);
    wait.rejectAt(learned, error);
  }
}

/** A handle of something that is made from what another gives. */
export const mapped = <T, R>(handle: Handle<T>, map: (value: T) => R): Handle<R> => ({
  id: handle.id,
  wait: async () => map(await handle.wait()),
});
