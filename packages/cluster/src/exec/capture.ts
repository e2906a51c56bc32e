// Runs a program that prints little and keeps what it prints: probes, and clients that answer questions.

import type { Exec, ExecOptions, ExecOutcome, OutputStream } from "./exec.ts";

export interface Captured {
  readonly outcome: ExecOutcome;
  /** Without the last line's end. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Output beyond this is read and thrown away. */
const LONGEST_OUTPUT = 4 * 1024 * 1024;

export async function capture(
  exec: Exec,
  program: string,
  argv: readonly string[],
  options: Omit<ExecOptions, "onLines" | "input">,
): Promise<Captured> {
  const lines: Record<OutputStream, string[]> = { stdout: [], stderr: [] };
  const lengths: Record<OutputStream, number> = { stdout: 0, stderr: 0 };
  const { outcome } = exec(program, argv, {
    ...options,
    onLines: (batch, stream) => {
      for (const line of batch) {
        if (lengths[stream] > LONGEST_OUTPUT) return;
        lengths[stream] += line.length + 1;
        lines[stream].push(line);
      }
    },
  });
  return { outcome: await outcome, stdout: lines.stdout.join("\n"), stderr: lines.stderr.join("\n") };
}
