// The seam of launchers: the same command on every node, with the rank environment, and what comes of it. One file in
// launchers/ for each way to reach machines; conformance.test.ts holds all of them to the same behaviour.

import type { OutputStream } from "./exec/exec.ts";
import type { ExitReason } from "./exitReason.ts";

export interface JobSpec {
  /** Program and arguments; no shell reads them. */
  readonly command: readonly [program: string, ...argv: string[]];
  /** For logs, and for `SKYPILOT_TASK_ID`. */
  readonly runId: string;
  /** By which the run's ranks know each other; it appears in no list of processes. */
  readonly token: string;
  /** Where ranks meet: a port of the first node. */
  readonly masterPort: number;
  /** For all ranks, beside what the machine itself sets and the rank environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** On the node. Absent: the launcher's own choice, which its file states. */
  readonly workingDirectory?: string;
  readonly timeoutMs?: number;
  /** Between SIGTERM and SIGKILL, when ranks are stopped. */
  readonly graceMs?: number;
}

export interface Launcher {
  /** Such as "local" or "ssh". */
  readonly name: string;
  /**
   * Starts the command on every node. When one rank fails, the others are stopped.
   *
   * @param options.signal stops all ranks; the job's reason is then "cancelled"
   * @throws ConfigError what cannot be launched at all: bad input, before anything has started
   */
  launch(job: JobSpec, options?: { readonly signal?: AbortSignal }): Promise<Job>;
}

export interface Job {
  /** In order, from the first on, for each reader; ends with the job. */
  events(): AsyncIterable<JobEvent>;
  /**
   * All ranks' output in batches, in line order for each rank. One reader; ranks are held back while it is busy. Ask for
   * it before `wait`: a job that is waited for without a reader throws its output away.
   */
  logs(): AsyncIterable<readonly LogLine[]>;
  /** How the worst rank ended, when all have. Ranks that were stopped because another failed do not count. */
  wait(): Promise<ExitReason>;
  /** Stops all ranks; kept when they have ended. */
  stop(): Promise<void>;
}

export interface LogLine {
  readonly rank: number;
  readonly stream: OutputStream;
  readonly text: string;
}

export type JobEvent =
  | { readonly kind: "rankStarted"; readonly rank: number; readonly host: string }
  | { readonly kind: "rankEnded"; readonly rank: number; readonly host: string; readonly reason: ExitReason };
