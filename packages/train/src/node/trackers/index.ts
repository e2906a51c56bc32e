// The trackers by name, and a run's tracking made of them: what the command line and libraries use.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConfigTree, type RunEvent, unknownName } from "@atoll/core";
import { mlflowEntry } from "./mlflow.ts";
import { tensorBoardEntry } from "./tensorBoard.ts";
import type { TrackerContext, TrackerEntry } from "./tracker.ts";
import { Tracking } from "./tracking.ts";
import { wandbEntry } from "./wandb.ts";

export type { MetricRow, Tracker, TrackerContext, TrackerEntry } from "./tracker.ts";
export { Tracking } from "./tracking.ts";

export const trackerEntries: readonly TrackerEntry[] = [tensorBoardEntry, wandbEntry, mlflowEntry];

export interface TrackRunOptions extends Pick<TrackerContext, "workingDirectory" | "wallClock" | "fetch"> {
  /** Options of each tracker that is wanted, by its name, as its schema lets them pass. */
  readonly trackers: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The directory of the run, absolute. What trackers have to know when it is resumed is kept in it. */
  readonly directory: string;
  /** The events of a resumed run up to the step that it goes on from. */
  readonly history?: readonly RunEvent[];
  /** Takes a sentence on a tracker that failed or is too slow; called in `record` and `close` only. */
  readonly warn: (message: string) => void;
}

/**
 * Trackers for one run: give it every event by `record`, and `close` it at the end.
 * @throws ConfigError for a tracker that does not exist
 */
export function trackRun({ trackers, directory, history = [], warn, ...world }: TrackRunOptions): Tracking {
  const chosen = Object.entries(trackers).map(([name, options]) => {
    const entry = trackerEntries.find((candidate) => candidate.name === name);
    if (entry === undefined)
      throw unknownName(
        "tracker",
        name,
        trackerEntries.map((candidate) => candidate.name),
      );
    return [
      name,
      (signal: AbortSignal) =>
        entry.create(options, {
          ...world,
          signal,
          runDirectory: directory,
          memory: memoryIn(directory, name),
        }),
    ] as const;
  });
  return new Tracking({ trackers: Object.fromEntries(chosen), history, warn, wallClock: world.wallClock });
}

/** A file of the run for each tracker. */
function memoryIn(directory: string, name: string): TrackerContext["memory"] {
  const path = join(directory, "tracking", `${name}.json`);
  return {
    read() {
      try {
        return JSON.parse(readFileSync(path, "utf8")) as ConfigTree;
      } catch {
        return null; // Not tracked before, or killed while it was written: the tracker begins anew.
      }
    },
    write(value) {
      mkdirSync(join(directory, "tracking"), { recursive: true });
      writeFileSync(path, `${JSON.stringify(value)}\n`);
    },
  };
}
