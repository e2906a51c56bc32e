// Runs trackers beside a run. Each has a queue of its own and writes in the background, a block at a time; the run never
// waits for one. A queue is bounded: a tracker that falls too far behind loses rows, and that is said once. One that
// fails is given up, and that is said once; the run goes on. At the end all are waited for, for a while.

import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, type RunEvent, type RunFinished, type RunStarted } from "@atoll/core";
import { RowMaker, rowsOf } from "./rows.ts";
import type { MetricRow, Tracker } from "./tracker.ts";

export interface TrackingOptions {
  /** What makes each tracker, by name; the signal is aborted when nobody waits for it any more. */
  readonly trackers: Readonly<Record<string, (signal: AbortSignal) => Tracker>>;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** What a resumed run's log holds, up to the step that it goes on from. */
  readonly history?: readonly RunEvent[];
  /** Takes a sentence on a tracker that failed: called in `record` and `close` only, at most twice a tracker. */
  readonly warn: (message: string) => void;
  /** Rows that wait for one tracker at most. Default 10,000. */
  readonly queueLimit?: number;
  /** Time between two blocks. Default 1,000. */
  readonly intervalMs?: number;
  /** How long `close` waits. Default 15,000. */
  readonly closeTimeoutMs?: number;
}

/** Rows of one write: what trackers with limits on a request can cut up without a long pause. */
const BLOCK = 500;

export class Tracking implements AsyncDisposable {
  readonly #options: TrackingOptions;
  readonly #rows: RowMaker;
  readonly #warnings: string[] = [];
  #channels: readonly Channel[] = [];

  constructor(options: TrackingOptions) {
    this.#options = options;
    this.#rows = new RowMaker(options.wallClock);
  }

  /** Takes an event of the run, beside its other sinks. Throws nothing but what `warn` throws. */
  record(event: RunEvent): void {
    if (event.type === "runStarted") this.#start(event);
    const row = event.type === "runFinished" ? this.#rows.end() : this.#rows.take(event);
    for (const channel of this.#channels) {
      if (row !== undefined) channel.push(row);
      if (event.type === "runFinished") channel.finish(event);
    }
    // A warning is an event itself, which comes here again.
    if (event.type !== "warning") this.#warn();
  }

  /** Waits until all rows are kept, or for `closeTimeoutMs`. */
  async close(): Promise<void> {
    const { closeTimeoutMs = 15_000 } = this.#options;
    const stop = new AbortController();
    const timedOut = sleep(closeTimeoutMs, undefined, { signal: stop.signal }).catch(() => {});
    await Promise.all(
      this.#channels.map(async (channel) => {
        // A run that ended without an end has nothing more to give.
        channel.finish(undefined);
        await Promise.race([channel.done, timedOut]);
        channel.abandon(closeTimeoutMs);
      }),
    );
    stop.abort();
    this.#warn();
  }

  /** How to look at what was kept, one line a tracker that did not fail. */
  get hints(): readonly string[] {
    return this.#channels.filter(({ failed }) => !failed).map(({ hint }) => hint);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(run: RunStarted): void {
    const { trackers, history = [], wallClock, queueLimit = 10_000, intervalMs = 1_000 } = this.#options;
    const past = rowsOf(history, wallClock);
    this.#channels = Object.entries(trackers).map(
      ([name, create]) =>
        new Channel(name, create, {
          run,
          past,
          queueLimit,
          intervalMs,
          warn: (text) => this.#warnings.push(text),
        }),
    );
    // Its last step's row is not whole yet: an evaluation that is done again belongs to it.
    for (const event of history) this.#rows.take(event);
  }

  #warn(): void {
    for (const message of this.#warnings.splice(0)) this.#options.warn(message);
  }
}

interface ChannelOptions {
  readonly run: RunStarted;
  /** Rows of the resumed run's log. */
  readonly past: readonly MetricRow[];
  readonly queueLimit: number;
  readonly intervalMs: number;
  readonly warn: (message: string) => void;
}

/** One tracker and its queue. */
class Channel {
  readonly done: Promise<void>;
  readonly #name: string;
  readonly #options: ChannelOptions;
  readonly #abandoned = new AbortController();
  /** Aborted when the run is over: there is nothing to gather any more. */
  readonly #ending = new AbortController();
  #tracker: Tracker | undefined;
  #queue: MetricRow[] = [];
  #news = Promise.withResolvers<void>();
  #finished: RunFinished | undefined;
  #state: "running" | "failed" | "done" = "running";
  #full = false;

  constructor(name: string, create: (signal: AbortSignal) => Tracker, options: ChannelOptions) {
    this.#name = name;
    this.#options = options;
    this.done = this.#run(create);
  }

  get failed(): boolean {
    return this.#state === "failed";
  }

  get hint(): string {
    return this.#tracker?.hint ?? "";
  }

  push(row: MetricRow): void {
    if (this.#state !== "running") return;
    if (this.#queue.length >= this.#options.queueLimit) {
      if (!this.#full)
        this.#options.warn(
          `Tracker "${this.#name}" is slower than the run: it lacks rows from step ${row.step} on. events.jsonl has all of them.`,
        );
      this.#full = true;
      return;
    }
    this.#queue.push(row);
    this.#news.resolve();
  }

  finish(event: RunFinished | undefined): void {
    this.#finished ??= event;
    this.#ending.abort();
    this.#news.resolve();
  }

  /** Lets go of a tracker that is not done by now. */
  abandon(afterMs: number): void {
    if (this.#state !== "running") return;
    this.#fail(`gave no answer for ${afterMs / 1000} s at the end of the run`);
    this.#abandoned.abort();
  }

  async #run(create: (signal: AbortSignal) => Tracker): Promise<void> {
    const { run, past } = this.#options;
    try {
      const tracker = create(this.#abandoned.signal);
      this.#tracker = tracker;
      const first = await tracker.start(run);
      // The row of the step that the run goes on from comes with what is added to it.
      await this.#write(past.filter(({ step }) => step >= first && step < run.resumedFrom));
      await this.#writeAll();
      if (this.#finished !== undefined) await tracker.finish(this.#finished);
      if (this.#state === "running") this.#state = "done";
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#state === "running") {
      await this.#news.promise;
      this.#news = Promise.withResolvers<void>();
      await this.#gather();
      await this.#write(this.#queue);
      if (this.#ending.signal.aborted && this.#queue.length === 0) return;
    }
  }

  /** Waits while rows come together, unless the run is over. */
  async #gather(): Promise<void> {
    const { signal } = this.#ending;
    // A process with nothing else to do need not stay for it: `close` ends the wait.
    await sleep(this.#options.intervalMs, undefined, { signal, ref: false }).catch(() => {});
  }

  /** Writes rows, and takes each block off the list before it. */
  async #write(rows: MetricRow[]): Promise<void> {
    while (rows.length > 0 && this.#state === "running") await this.#tracker!.write(rows.splice(0, BLOCK));
  }

  #fail(reason: string): void {
    if (this.#state !== "running") return;
    this.#state = "failed";
    this.#queue = [];
    this.#options.warn(
      `Tracker "${this.#name}" failed and is left out from here on: ${reason.replace(/\.?$/, ".")} The run goes on; events.jsonl has all of its metrics.`,
    );
  }
}
