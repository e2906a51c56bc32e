// The readers of a training's events: the run's directory, the trackers that its options ask for, and whoever shows it.

import type { EventSink } from "@atoll/core";
import { type RunDirectory, type Tracking, trackRun } from "@atoll/train/node";
import type { ResolvedConfig } from "./runConfig.ts";
import type { Terminal } from "./terminal.ts";

export interface RunReaders {
  readonly emit: EventSink;
  /** To be closed when the run is over. */
  readonly tracking: Tracking;
}

/** Call it after the directory's `resumeSnapshot`, which tells trackers what a resumed run has been through. */
export function readersOf(
  run: RunDirectory,
  config: ResolvedConfig,
  { workingDirectory, now: wallClock, fetch }: Terminal,
  show: EventSink,
): RunReaders {
  const tracking = trackRun({
    trackers: config.run.track ?? {},
    directory: run.path,
    history: run.history,
    workingDirectory,
    wallClock,
    fetch,
    warn: (message) => emit({ type: "warning", message }),
  });
  const emit: EventSink = (event) => {
    run.record(event);
    show(event);
    tracking.record(event);
  };
  return { emit, tracking };
}
