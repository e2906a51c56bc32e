// The clock of a node that is a process: seconds of the run, which stand still between segments, while the run is
// evaluated or saved. So times are comparable with those of the virtual clock, where that takes none.

import { setTimeout } from "node:timers/promises";
import { type Seconds, seconds } from "@atoll/core";
import type { Duration } from "@atoll/network";
import type { StepClock, StepsDone } from "../../stepClock.ts";

export interface RankClockOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** How many times as long work is made to take: a slow node, by waiting. */
  readonly slowdown: number;
  /** Ends all waits. */
  readonly signal: AbortSignal;
}

export class RankClock implements StepClock {
  readonly #options: RankClockOptions;
  #base = 0;
  /** When the segment under way began, in milliseconds. */
  #startedAt: number | undefined;

  constructor(options: RankClockOptions) {
    this.#options = options;
  }

  /** A segment begins, at so many seconds of the run. */
  start(at: number): void {
    this.#base = at;
    this.#startedAt = this.#options.nowMs();
  }

  stop(): void {
    this.stopAt(this.now());
  }

  /** Stands still at so many seconds of the run. */
  stopAt(time: number): void {
    this.#base = time;
    this.#startedAt = undefined;
  }

  now(): Seconds {
    const elapsed = this.#startedAt === undefined ? 0 : (this.#options.nowMs() - this.#startedAt) / 1000;
    return seconds(this.#base + elapsed);
  }

  /** The moment of the run that was so many seconds after 1970, within the segment. */
  at(moment: number): Seconds {
    return seconds(this.#base + (this.#startedAt === undefined ? 0 : moment - this.#startedAt / 1000));
  }

  async sleep(duration: Seconds): Promise<void> {
    await this.#until(this.now() + duration);
  }

  async work<T>(duration: Duration<T>, real: Promise<T>): Promise<T> {
    const from = this.now();
    const value = await real;
    const least = typeof duration === "number" ? duration : duration(value);
    await this.#until(this.#end(from, least));
    return value;
  }

  /** Steps that are computed in one go are as long as each other, for all that is known; one that has to be longer is. */
  async steps<T>(durations: readonly Seconds[], real: Promise<T>): Promise<StepsDone<T>> {
    const from = this.now();
    const value = await real;
    const each = ((this.now() - from) * this.#options.slowdown) / durations.length;
    let time: number = from;
    const ends = durations.map((least) => {
      time += Math.max(each, least);
      return seconds(time);
    });
    await this.#until(time);
    return { value, ends };
  }

  #end(from: number, least: number): number {
    return from + Math.max((this.now() - from) * this.#options.slowdown, least);
  }

  /** Timers are as fine as a millisecond: what is less is not waited for. */
  async #until(time: number): Promise<void> {
    const { signal } = this.#options;
    const leftMs = (time - this.now()) * 1000;
    if (leftMs < 0.5 || signal.aborted) return;
    await setTimeout(leftMs, undefined, { signal }).catch(() => undefined);
  }
}
