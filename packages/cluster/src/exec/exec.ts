// Runs another program and says how it ended: the one place where Atoll starts what is not itself. Not a shell: arguments go
// to the program as they are. A program that cannot be started, takes too long or is cancelled is an outcome, not an
// exception.
//
// A program runs in a process group of its own and is stopped with all that it started: SIGTERM, and SIGKILL after a grace.
// Its output comes line by line and is held back while the reader is busy, so that memory stays bounded whatever comes.

import type { Writable } from "node:stream";
import { execa } from "execa";
import type { ExitReason } from "../exitReason.ts";
import { readLines } from "./lines.ts";

export type ExecOutcome =
  | ExitReason
  /** There is no such program on PATH. */
  | { readonly kind: "missing" }
  /** It is there and cannot be started, or its working directory is not there. */
  | { readonly kind: "failed"; readonly message: string };

export type OutputStream = "stdout" | "stderr";

/** Given whole lines without their ends, in order. The stream is not read on before the promise is kept. */
export type LineSink = (lines: readonly string[], stream: OutputStream) => void | Promise<void>;

export interface ExecOptions {
  /** All of it; the program is looked for on its PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory?: string;
  /**
   * "nothing" (the default): standard input is empty. "held": it is `Execution.input`, and stays open until that is ended.
   * "terminal": the program has this process's terminal, for shells and the like; nothing of its output is read.
   */
  readonly input?: "nothing" | "held" | "terminal";
  /**
   * The program ends by itself, with all that it started, when its held input ends: so nothing is killed when it has ended,
   * nor when this process ends.
   */
  readonly endsWithInput?: boolean;
  /** Absent: output is thrown away. */
  readonly onLines?: LineSink;
  /** Stops the program; the outcome is "cancelled". */
  readonly signal?: AbortSignal;
  /** Stops the program; the outcome is "timedOut". */
  readonly timeoutMs?: number;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs?: number;
}

export interface Execution {
  /** Where input is "held". A reader that has gone is no error. */
  readonly input: Writable | undefined;
  /** Kept when it has ended and its output has been taken. */
  readonly outcome: Promise<ExecOutcome>;
}

export type Exec = (program: string, argv: readonly string[], options: ExecOptions) => Execution;

const GRACE_MS = 5_000;
/** After a program's end, how long its output may stay silent and open: someone left its group and holds it. */
const SILENCE_MS = 1_000;

export const exec: Exec = (program, argv, options) => {
  const {
    environment,
    workingDirectory,
    input = "nothing",
    endsWithInput,
    onLines,
    signal,
    timeoutMs,
  } = options;
  const terminal = input === "terminal";
  const child = execa(program, argv, {
    env: definedOnly(environment),
    extendEnv: false,
    ...(workingDirectory === undefined ? {} : { cwd: workingDirectory }),
    stdin: terminal ? "inherit" : input === "held" ? "pipe" : "ignore",
    stdout: terminal ? "inherit" : onLines ? "pipe" : "ignore",
    stderr: terminal ? "inherit" : onLines ? "pipe" : "ignore",
    buffer: false,
    reject: false,
    // A program that has the terminal must stay in the group that the terminal belongs to.
    killDescendants: !terminal,
    cleanup: endsWithInput !== true,
    forceKillAfterDelay: options.graceMs ?? GRACE_MS,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
  });
  // Whoever read it has ended; how, the outcome says.
  child.stdin?.on("error", () => {});
  const readers = (["stdout", "stderr"] as const).flatMap((name) => {
    const stream = child[name];
    return stream && onLines ? [readLines(stream, (lines) => onLines(lines, name))] : [];
  });
  if (!terminal)
    child.nodeChildProcess.once("exit", () => {
      if (!endsWithInput) child.kill("SIGKILL"); // What it started and left behind.
      for (const reader of readers) reader.endWhenSilent(SILENCE_MS);
    });
  const outcome = async (): Promise<ExecOutcome> => {
    const [result] = await Promise.all([child, ...readers.map(({ done }) => done)]);
    if (result.isCanceled) return { kind: "cancelled" };
    if (result.timedOut) return { kind: "timedOut", afterMs: timeoutMs! };
    if (result.exitCode !== undefined) return { kind: "exited", code: result.exitCode };
    if (result.signal !== undefined) return { kind: "killed", signal: result.signal };
    const message = result.originalMessage ?? "no reason given";
    // A working directory that is not there has the same code, and a longer message.
    return result.code === "ENOENT" && message.startsWith("spawn ")
      ? { kind: "missing" }
      : { kind: "failed", message: message.replaceAll("\n", " ") };
  };
  return { input: child.stdin ?? undefined, outcome: outcome() };
};

const definedOnly = (
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
