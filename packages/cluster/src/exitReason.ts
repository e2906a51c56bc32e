// How something that ran ended, as data: the same five ways for a program of this machine, a rank on another one, and a
// whole job.

import { constants } from "node:os";

export type ExitReason =
  /** It ended by itself. */
  | { readonly kind: "exited"; readonly code: number }
  /** A signal ended it that Atoll did not send: "SIGSEGV", or "SIGKILL" when memory ran out. */
  | { readonly kind: "killed"; readonly signal: string }
  /** It was stopped, since it took longer than it was given. */
  | { readonly kind: "timedOut"; readonly afterMs: number }
  /** It was stopped, since someone asked for that. */
  | { readonly kind: "cancelled" }
  /** Nobody knows how it ended: the way to it broke. The cause is a sentence for people. */
  | { readonly kind: "lost"; readonly cause: string };

/** The code by which a command line tells how it ended; signals as shells have them, 124 as `timeout` has it. */
export function exitCodeOf(reason: ExitReason): number {
  switch (reason.kind) {
    case "exited":
      return reason.code;
    case "killed":
      return 128 + (signalNumbers.get(reason.signal) ?? 0);
    case "timedOut":
      return 124;
    case "cancelled":
      return 130;
    case "lost":
      return 1;
    default:
      return reason satisfies never;
  }
}

/** Why something ended, as the end of a sentence: "rank 3 ended with code 1". */
export function describeExit(reason: ExitReason): string {
  switch (reason.kind) {
    case "exited":
      return `ended with code ${reason.code}`;
    case "killed":
      return `was ended by ${reason.signal}`;
    case "timedOut":
      return `was stopped after ${reason.afterMs / 1000} s`;
    case "cancelled":
      return "was stopped";
    case "lost":
      return `was lost: ${reason.cause}`;
    default:
      return reason satisfies never;
  }
}

/**
 * What a shell's exit status says: 128 + n stands for signal n. A program that ends with such a code by itself cannot be
 * told from one that a signal ended, on no machine that is reached through a shell.
 */
export function reasonOfStatus(status: number): ExitReason {
  const signal = signalNames.get(status - 128);
  return signal === undefined ? { kind: "exited", code: status } : { kind: "killed", signal };
}

const signalNumbers: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals));
/** Where two names have one number (SIGIOT, SIGABRT), the one that is listed first. */
const signalNames: ReadonlyMap<number, string> = new Map(
  [...signalNumbers].reverse().map(([name, number]) => [number, name]),
);
