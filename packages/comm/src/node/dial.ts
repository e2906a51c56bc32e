// Dials a process of the run and introduces itself; whoever is not there yet is dialled again, less and less often.

import { setTimeout as delay } from "node:timers/promises";
import { messageOf, RunError } from "@atoll/core";
import type { HashBlocks } from "./checksum.ts";
import { Connection } from "./connection.ts";
import { type Introduction, introduce, RefusedError } from "./greeting.ts";

export interface DialOptions {
  readonly target: { readonly host: string; readonly port: number };
  readonly introduction: Introduction;
  readonly token: string;
  readonly whom: string;
  /** How long it is tried. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly hashBlocks?: HashBlocks | undefined;
  /** The connection has ended, after it was made. */
  readonly onEnd: (cause: string) => void;
}

const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1000;

/** @throws RunError if nobody answers in time or the other side refuses; the signal's reason if it is aborted */
export async function dial(options: DialOptions): Promise<Connection> {
  const { whom, timeoutMs, signal } = options;
  const expired = AbortSignal.timeout(timeoutMs);
  let failure: unknown;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await dialOnce(options, AbortSignal.any([signal, expired]));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RefusedError && !error.mayRetry) throw error;
      if (!expired.aborted || failure === undefined) failure = error;
    }
    try {
      await delay(pauseMs, undefined, { signal: AbortSignal.any([signal, expired]) });
    } catch {
      signal.throwIfAborted();
      throw new RunError(
        `${failure === expired.reason ? `Cannot connect to ${whom}: no answer.` : messageOf(failure)} ` +
          `Tried for ${timeoutMs / 1000} s. Check the address and that the process runs.`,
        failure,
      );
    }
  }
}

async function dialOnce(options: DialOptions, signal: AbortSignal): Promise<Connection> {
  const { target, introduction, hashBlocks, onEnd } = options;
  const greeting = introduce(options);
  greeting.welcomed.catch(() => undefined);
  let isMade = false;
  const connection = Connection.dial(target, {
    runId: introduction.runId,
    handler: greeting.handler,
    hashBlocks,
    onEnd: (cause, isFault) => (isMade ? onEnd(cause) : greeting.fail(cause, isFault)),
  });
  greeting.begin(connection);
  const abort = (): void => connection.end("it took too long");
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    await greeting.welcomed;
    isMade = true;
    if (!connection.isOpen) throw new RunError(`Cannot connect to ${options.whom}: its connection closed.`);
    return connection;
  } catch (error) {
    connection.end("the greeting failed");
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
