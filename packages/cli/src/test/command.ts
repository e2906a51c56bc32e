// Runs the real command in this process, in a directory of its own, and keeps what it prints.

import { loadavg } from "node:os";
import { main } from "../main.ts";
import type { Terminal } from "../terminal.ts";

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly interactive?: boolean;
  readonly columns?: number;
  readonly signal?: AbortSignal;
  /** Called with each piece of standard error. */
  readonly watch?: (text: string) => void;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly output: string;
  readonly error: string;
}

/** The reason that a machine without a network gives. */
const offline: typeof fetch = () =>
  Promise.reject(new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND") }));

/** A terminal that forgets what it is told: without a network, and with an empty data directory unless the environment names one. */
export const testTerminal = (
  workingDirectory: string,
  { environment, interactive = false, columns = 80, signal }: CommandOptions = {},
): Terminal => ({
  output: () => {},
  error: () => {},
  drained: () => Promise.resolve(true),
  interactive,
  columns,
  inputIsTerminal: false,
  environment: environment ?? { ATOLL_DATA: "data" },
  workingDirectory,
  now: () => performance.timeOrigin + performance.now(),
  peakRssBytes: () => process.resourceUsage().maxRSS * 1024,
  availableMemoryBytes: () => process.availableMemory(),
  loadAverage: () => loadavg()[0]!,
  parent: undefined,
  interrupted: signal ?? new AbortController().signal,
  sayWhenInterrupted: () => {},
  fetch: offline,
});

/** `atoll <argv>` on such a terminal in `workingDirectory`, and what it prints. */
export async function runCommand(
  argv: readonly string[],
  workingDirectory: string,
  options: CommandOptions = {},
): Promise<CommandResult> {
  let output = "";
  let error = "";
  const terminal: Terminal = {
    ...testTerminal(workingDirectory, options),
    output: (text) => {
      output += text;
    },
    error: (text) => {
      error += text;
      options.watch?.(text);
    },
  };
  const exitCode = await main(argv, terminal);
  return { exitCode, output, error };
}
