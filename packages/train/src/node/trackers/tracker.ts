// What a tracker is: something that keeps a run's metrics where another program shows them (TensorBoard, W&B, MLflow). It
// is a reader of events and has no part in the run. Queues, limits and what happens when one fails are in tracking.ts; a
// tracker only writes, and throws if it cannot.

import type { ConfigTree, RunFinished, RunStarted } from "@atoll/core";
import type { z } from "zod";

/** All metrics of one step. */
export interface MetricRow {
  /** Steps done, from 1; rows come in this order and no step comes twice. */
  readonly step: number;
  /** When the step was seen, in milliseconds since 1970. */
  readonly wallMs: number;
  /** By the names that `rows.ts` gives. A value may be NaN or infinite: a run can diverge. */
  readonly values: Readonly<Record<string, number>>;
}

export interface Tracker {
  /** How a person looks at what is kept: a command or an address. Known once it has started. */
  readonly hint: string;
  /**
   * Makes what the rows go into, or opens it again for a resumed run (`run.resumedFrom` above 0): what it holds from that
   * step on is taken back or left as it is, since the run does those steps again, with the same numbers.
   * @returns the first step whose row it wants: 1, or `resumedFrom` and less if it lacks rows before that
   */
  start(run: RunStarted): Promise<number>;
  /** Keeps rows. What it has not kept when the process dies is asked for again when the run is resumed. */
  write(rows: readonly MetricRow[]): Promise<void>;
  finish(run: RunFinished): Promise<void>;
}

/** What trackers are given of the outside world. */
export interface TrackerContext {
  /** The run's directory, absolute; trackers that write files do so there unless told otherwise. */
  readonly runDirectory: string;
  /** What relative paths in options are relative to. */
  readonly workingDirectory: string;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly fetch: typeof fetch;
  /** Aborted when nobody waits for the tracker any more. */
  readonly signal: AbortSignal;
  /** What the tracker has to know when the run is resumed; null for a run that it has not seen. */
  readonly memory: { read(): ConfigTree | null; write(value: ConfigTree): void };
}

/** A tracker by name, for configs and help. */
export interface TrackerEntry {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  readonly options: z.ZodObject;
  /** @param options as the schema lets them pass */
  create(options: Readonly<Record<string, unknown>>, context: TrackerContext): Tracker;
}

/** The name that a resumed run's tracker finds the run by, from the memory of a tracker. */
export const remembered = (memory: ConfigTree | null, name: string): string | undefined => {
  const value = memory?.[name];
  return typeof value === "string" ? value : undefined;
};
