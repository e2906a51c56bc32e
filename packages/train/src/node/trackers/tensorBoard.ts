// TensorBoard, by event files (tensorBoardFile.ts says what is in them). By default the file lies in the run's directory, so `tensorboard --logdir runs` shows all runs.
// A resumed run begins a further file, as TensorFlow does: a session start in it tells the reader which steps of the
// earlier files are void.

import { appendFile, mkdir, readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, join, resolve } from "node:path";
import type { ConfigTree, RunStarted } from "@atoll/core";
import { z } from "zod";
import { frame, sessionStart, summaryOf, version } from "./tensorBoardFile.ts";
import type { MetricRow, Tracker, TrackerContext, TrackerEntry } from "./tracker.ts";

class TensorBoard implements Tracker {
  readonly #directory: string;
  readonly #context: TrackerContext;
  #path = "";

  constructor(directory: string, context: TrackerContext) {
    this.#directory = directory;
    this.#context = context;
  }

  get hint(): string {
    return `tensorboard --logdir ${this.#directory}`;
  }

  async start({ resumedFrom }: RunStarted): Promise<number> {
    const { wallClock, memory } = this.#context;
    await mkdir(this.#directory, { recursive: true });
    const wallMs = wallClock();
    this.#path = join(this.#directory, await this.#newName(Math.floor(wallMs / 1000)));
    const first = resumedFrom === 0 ? 1 : Math.min(keptSteps(memory.read()) + 1, resumedFrom);
    // Before the session start that makes steps void: if the process dies in between, more is asked for, not less.
    memory.write({ kept: first - 1 });
    await appendFile(this.#path, Buffer.concat([version(wallMs), sessionStart(wallMs, first)].map(frame)));
    return first;
  }

  async write(rows: readonly MetricRow[]): Promise<void> {
    await appendFile(this.#path, Buffer.concat(rows.map((row) => frame(summaryOf(row)))));
    this.#context.memory.write({ kept: rows.at(-1)!.step });
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  /** Readers go through files by name, so a further file has to come after those that are there. */
  async #newName(second: number): Promise<string> {
    const seconds = (await readdir(this.#directory))
      .map((name) => Number(/^events\.out\.tfevents\.(\d+)\./.exec(name)?.[1] ?? 0))
      .concat(second - 1);
    return `events.out.tfevents.${String(Math.max(...seconds) + 1).padStart(10, "0")}.${hostname()}.atoll`;
  }
}

const keptSteps = (memory: ConfigTree | null): number => (typeof memory?.kept === "number" ? memory.kept : 0);

const options = z.strictObject({
  directory: z
    .string()
    .min(1)
    .optional()
    .describe(
      "where a directory of the run's name is made; left out, the file is in the run's own directory",
    ),
});

export const tensorBoardEntry: TrackerEntry = {
  name: "tensorboard",
  summary: "event files for TensorBoard",
  options,
  create(given, context) {
    const { directory } = given as z.output<typeof options>;
    const { runDirectory, workingDirectory } = context;
    const own =
      directory === undefined
        ? runDirectory
        : join(resolve(workingDirectory, directory), basename(runDirectory));
    return new TensorBoard(own, context);
  },
};
