// Reads a run directory: `config.json`, `events.jsonl` and `summary.json`.
// A run can be killed at any moment, so the last line of the events may be cut off; any other bad line is an error.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type ConfigTree, messageOf, RunError, type RunEvent } from "@atoll/core";
import { parseEvent } from "../eventSchema.ts";
import type { RunRecord } from "../record.ts";

/**
 * Reads the run in `directory`. `config.json` and `summary.json` may be absent: a run that failed early has none.
 * @throws RunError that names the file (and line) where there are no events, or a file is not what it should be
 */
export async function readRun(directory: string): Promise<RunRecord> {
  const { events, truncated } = await readEvents(join(directory, "events.jsonl"));
  const config = await readTree(join(directory, "config.json"));
  const summary = await readTree(join(directory, "summary.json"));
  return { config: config ?? {}, events, summary, truncated };
}

async function readEvents(path: string): Promise<{ events: RunEvent[]; truncated: boolean }> {
  const events: RunEvent[] = [];
  // Line by line: the file of a long run among many nodes is longer than the longest string.
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  let bad: RunError | undefined;
  let number = 0;
  try {
    for await (const line of lines) {
      number++;
      if (line.trim() === "") continue;
      if (bad) throw bad;
      try {
        const event = parseEvent(line);
        if (event) events.push(event);
      } catch (cause) {
        bad = new RunError(
          `${path}, line ${number}: ${messageOf(cause)}. Restore or remove this line.`,
          cause,
        );
      }
    }
  } catch (cause) {
    if (cause instanceof RunError) throw cause;
    throw new RunError(`Cannot read ${path}: ${messageOf(cause)}. Expected a run directory.`, cause);
  }
  return { events, truncated: bad !== undefined };
}

async function readTree(path: string): Promise<ConfigTree | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw new RunError(`Cannot read ${path}: ${messageOf(cause)}.`, cause);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RunError(`${path}: expected JSON, ${messageOf(cause)}. Restore the file or remove it.`, cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RunError(
      `${path}: expected a JSON object, got ${text.slice(0, 40)}. Restore the file or remove it.`,
    );
  return value as ConfigTree;
}
