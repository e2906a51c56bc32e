// Runs another program and says how it ended: the one place where commands start programs of this machine. Not a shell:
// arguments go to the program as they are. What cannot be started or takes too long is an outcome, not an exception.

import { spawn } from "node:child_process";

export type ExecOutcome =
  /** It ended by itself; `output` is standard output, or standard error if there is none. */
  | { readonly kind: "exited"; readonly code: number; readonly output: string }
  /** A signal ended it. */
  | { readonly kind: "killed"; readonly signal: string }
  /** There is no such program on PATH. */
  | { readonly kind: "missing" }
  /** It is there and cannot be started. */
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "timedOut"; readonly afterMs: number };

export interface ExecOptions {
  /** All of it; the program is looked for on its PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** After this, the program and all that it started are ended. */
  readonly timeoutMs: number;
}

export type Exec = (program: string, argv: readonly string[], options: ExecOptions) => Promise<ExecOutcome>;

/** Output beyond this is read and thrown away: probes print a line or two. */
const LONGEST_OUTPUT = 64 * 1024;

export const exec: Exec = (program, argv, { environment, timeoutMs }) =>
  new Promise((resolve) => {
    // A process group of its own, so that what the program started can be ended with it.
    const child = spawn(program, argv, {
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].setEncoding("utf8").on("data", (text: string) => {
        if (texts[name].length < LONGEST_OUTPUT) texts[name] += text;
      });
    const end = (outcome: ExecOutcome): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    const timer = setTimeout(() => {
      end({ kind: "timedOut", afterMs: timeoutMs });
      killGroup(child.pid);
      // Someone who left the group may hold the pipes open: nobody waits for that.
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
    }, timeoutMs);
    child.on("error", (error: NodeJS.ErrnoException) =>
      end(error.code === "ENOENT" ? { kind: "missing" } : { kind: "failed", message: error.message }),
    );
    child.on("close", (code, signal) =>
      end(
        code === null
          ? { kind: "killed", signal: String(signal) }
          : { kind: "exited", code, output: texts.stdout.trim() || texts.stderr.trim() },
      ),
    );
  });

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended in the same moment.
  }
}
