// The terminal of a real process.

import type { Terminal } from "./terminal.ts";

/** A second interrupt ends the process at once. */
export function processTerminal(): Terminal {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      if (interrupt.signal.aborted) process.exit(130);
      interrupt.abort();
    });
  // Whoever read the output has gone (`| head`): the run goes on, its directory holds all of it.
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  return {
    output: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    get columns() {
      return process.stderr.columns ?? 80; // A window can be resized.
    },
    environment: process.env,
    workingDirectory: process.cwd(),
    now: () => performance.timeOrigin + performance.now(),
    peakRssBytes: () => process.resourceUsage().maxRSS * 1024,
    interrupted: interrupt.signal,
    fetch: globalThis.fetch,
  };
}
