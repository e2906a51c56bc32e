// What ranks print, handed to one reader at the reader's pace: a rank's output waits in its pipe while the reader is busy.

import type { LogLine } from "../launcher.ts";

export interface OutputLog {
  /** Kept when the reader has taken the lines and asks for more. */
  push(lines: readonly LogLine[]): Promise<void>;
  /** No more lines will come. */
  close(): void;
  /** Takes the place of the reader, unless there is one: lines are thrown away. */
  discard(): void;
  /** One reader; one that breaks off throws the rest away. */
  read(): AsyncIterable<readonly LogLine[]>;
}

interface Batch {
  readonly lines: readonly LogLine[];
  readonly taken: () => void;
}

export function outputLog(): OutputLog {
  const waiting: Batch[] = [];
  let reader: "none" | "reading" | "discarding" = "none";
  let closed = false;
  let wake = (): void => {};
  const drop = (): void => {
    reader = "discarding";
    for (const { taken } of waiting.splice(0)) taken();
  };
  async function* read(): AsyncGenerator<readonly LogLine[]> {
    let batch: Batch | undefined;
    try {
      for (;;) {
        batch?.taken();
        batch = waiting.shift();
        if (batch) yield batch.lines;
        else if (closed) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      batch?.taken();
      drop();
    }
  }
  return {
    push(lines) {
      if (reader === "discarding" || lines.length === 0) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ lines, taken: resolve });
      wake();
      return promise;
    },
    close() {
      closed = true;
      wake();
    },
    discard() {
      if (reader === "none") drop();
    },
    read() {
      if (reader !== "none")
        throw new Error("A job's output has one reader, and wait() without one throws it away.");
      reader = "reading";
      return read();
    },
  };
}
