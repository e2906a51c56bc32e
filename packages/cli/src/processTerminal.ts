// The terminal of a real process.

import { loadavg } from "node:os";
import { parentProcess } from "./ranks/parentProcess.ts";
import type { Terminal } from "./terminal.ts";

/** A first interrupt asks the command to stop in good order; a second one ends the process at once. */
export function processTerminal(): Terminal {
  const interrupt = new AbortController();
  const parent = parentProcess();
  const signals = ["SIGINT", "SIGTERM"] as const;
  let stopping: string | null = "Stopping";
  const stop = (signal: NodeJS.Signals): void => {
    if (!interrupt.signal.aborted) {
      // Who has sent a SIGTERM knows how to send another one.
      const more = signal === "SIGINT" ? "; once more to quit at once" : "";
      if (parent === undefined && stopping !== null) process.stderr.write(`\n${stopping}${more}.\n`);
      interrupt.abort();
      return;
    }
    // The signal's own action, since process.exit would wait for worker threads in the middle of native code.
    for (const each of signals) process.removeAllListeners(each);
    process.kill(process.pid, signal);
  };
  for (const signal of signals) process.on(signal, stop);
  // Whoever read the output has gone (`| head`): the run goes on, its directory holds all of it.
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  return {
    output: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    async drained() {
      await Promise.all([process.stdout, process.stderr].map(drained));
      return !process.stdout.errored;
    },
    interactive: process.stderr.isTTY === true,
    get columns() {
      return process.stderr.columns ?? 80; // A window can be resized.
    },
    inputIsTerminal: process.stdin.isTTY === true,
    environment: process.env,
    workingDirectory: process.cwd(),
    now: () => performance.timeOrigin + performance.now(),
    peakRssBytes: () => process.resourceUsage().maxRSS * 1024,
    availableMemoryBytes: () => process.availableMemory(),
    loadAverage: () => loadavg()[0]!,
    parent,
    interrupted: interrupt.signal,
    sayWhenInterrupted(what) {
      stopping = what;
    },
    fetch: globalThis.fetch,
  };
}

function drained(stream: NodeJS.WriteStream): Promise<void> | undefined {
  if (!stream.writableNeedDrain || stream.errored) return undefined;
  return new Promise((resolve) => {
    const events = ["drain", "close", "error"] as const;
    const done = (): void => {
      for (const event of events) stream.off(event, done);
      resolve();
    };
    for (const event of events) stream.on(event, done);
  });
}
