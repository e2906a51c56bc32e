// The outside world as commands see it: where text goes, the environment, the clock, interrupts. Passed in, so that
// tests run commands without a process of their own.

import type { ParentProcess } from "./ranks/parentProcess.ts";

export interface Terminal {
  /** Standard output: results. */
  output(text: string): void;
  /** Standard error: progress, tables, complaints. */
  error(text: string): void;
  /**
   * Kept when the readers of both have taken enough that more may be written without filling the memory.
   *
   * @returns whether anyone reads standard output
   */
  drained(): Promise<boolean>;
  /** Whether standard error is a terminal that can redraw a line. */
  readonly interactive: boolean;
  readonly columns: number;
  /** Whether standard input is a terminal that someone types into. */
  readonly inputIsTerminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  /** Milliseconds since 1970. */
  now(): number;
  /** Peak resident memory of the process so far. */
  peakRssBytes(): number;
  /** Memory that programs can still have on this machine, or within this container's bounds. */
  availableMemoryBytes(): number;
  /** Programs that wanted to compute at a time, mean of the last minute. */
  loadAverage(): number;
  /** The process that has started this one as a rank of its run, if one has. */
  readonly parent: ParentProcess | undefined;
  /** Aborted at the first Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** What is said then, beside how to quit at once; null for nothing. */
  sayWhenInterrupted(what: string | null): void;
  readonly fetch: typeof fetch;
}

/** For commands that train. */
export const STOPPING_NODES = "Stopping where all nodes can";

export interface Command {
  /** What it does when it is interrupted, as `Terminal.sayWhenInterrupted` takes it; "Stopping" if absent. */
  readonly whenInterrupted?: string | null;
  /** @param argv what else was on the command line: the help may be about that */
  help(argv: readonly string[], terminal: Terminal): Promise<string>;
  /** @returns the exit code */
  run(argv: readonly string[], terminal: Terminal): Promise<number>;
}

/** A command as the overview knows it. */
export interface CommandEntry {
  readonly name: string;
  /** One line for the overview. */
  readonly summary: string;
  load(): Promise<Command>;
}
