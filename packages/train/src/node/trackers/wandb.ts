// Weights & Biases, without its server: an offline run directory as the official client leaves one, which
// `wandb sync` uploads from any machine that has an account. Atoll itself sends nothing.
// A resumed run goes on in the same file: rows of steps that are done again are cut off it, and so is its end.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import type { RunFinished, RunStarted } from "@atoll/core";
import { z } from "zod";
import {
  type MetricRow,
  remembered,
  type Tracker,
  type TrackerContext,
  type TrackerEntry,
} from "./tracker.ts";
import { frameRecord, HEADER, recordsIn } from "./wandbLog.ts";
import {
  exitRecord,
  headerRecord,
  historyRecord,
  kindOfRecord,
  runRecord,
  summaryRecord,
} from "./wandbRecords.ts";

const options = z.strictObject({
  directory: z
    .string()
    .min(1)
    .optional()
    .describe("where the directory wandb is made; left out, in the run's own directory"),
  project: z.string().min(1).default("atoll").describe("project that a sync goes to"),
  entity: z
    .string()
    .min(1)
    .optional()
    .describe("user or team that a sync goes to; left out, the account's own"),
  group: z.string().min(1).optional().describe("group of runs that this one belongs to"),
  tags: z.array(z.string()).default([]).describe('tags of the run, such as ["wan"]'),
});

type WandbOptions = z.output<typeof options>;

class Wandb implements Tracker {
  readonly #options: WandbOptions;
  readonly #context: TrackerContext;
  #path = "";
  #startMs = 0;
  #size = 0;
  #records = 0;
  /** The latest value of each metric. */
  #latest: MetricRow = { step: 0, wallMs: 0, values: {} };

  constructor(given: WandbOptions, context: TrackerContext) {
    this.#options = given;
    this.#context = context;
  }

  get hint(): string {
    return `wandb sync ${dirname(this.#path)}`;
  }

  async start(run: RunStarted): Promise<number> {
    this.#startMs = this.#context.wallClock();
    const path = remembered(this.#context.memory.read(), "path");
    if (run.resumedFrom > 0 && path !== undefined && existsSync(path))
      return this.#goOn(path, run.resumedFrom);
    await this.#create(run);
    return 1;
  }

  async write(rows: readonly MetricRow[]): Promise<void> {
    for (const row of rows) this.#latest = { ...row, values: { ...this.#latest.values, ...row.values } };
    const summary = this.#latest;
    await this.#append([
      ...rows.map((row) => (num: number) => historyRecord(num, row, this.#startMs)),
      // With every block, so that a run that is killed has one.
      (num) => summaryRecord(num, summary, this.#startMs),
    ]);
  }

  async finish({ outcome, wallSeconds }: RunFinished): Promise<void> {
    const code = outcome === "completed" ? 0 : 1;
    await this.#append([(num) => exitRecord(num, code, wallSeconds)]);
  }

  async #create(run: RunStarted): Promise<void> {
    const { project, entity, group, tags, directory } = this.#options;
    const { runDirectory, workingDirectory, memory } = this.#context;
    const runId = idOf(`${hostname()} ${process.pid} ${runDirectory} ${this.#startMs}`);
    const home = join(directory === undefined ? runDirectory : resolve(workingDirectory, directory), "wandb");
    const own = join(home, `offline-run-${stamp(this.#startMs)}-${runId}`);
    for (const folder of ["files", "logs"]) await mkdir(join(own, folder), { recursive: true });
    this.#path = join(own, `run-${runId}.wandb`);
    await writeFile(this.#path, HEADER, { flag: "wx" });
    this.#size = HEADER.length;
    await this.#append([
      (num) => headerRecord(num, "atoll"),
      (num) =>
        runRecord(num, {
          runId,
          project,
          entity,
          group,
          tags,
          displayName: run.name,
          host: hostname(),
          startMs: this.#startMs,
          config: Object.entries(run.config).map(([name, value]) => [name, JSON.stringify(value)]),
        }),
    ]);
    const latest = join(home, "latest-run");
    await rm(latest, { force: true });
    await symlink(basename(own), latest);
    memory.write({ path: this.#path });
  }

  /** @returns the first step that the file lacks then */
  async #goOn(path: string, resumedFrom: number): Promise<number> {
    const records = recordsIn(await readFile(path)).map(({ data, end }) => ({ end, ...kindOfRecord(data) }));
    const at = records.findIndex(
      (record) => record.kind === "exit" || (record.kind === "history" && record.step >= resumedFrom),
    );
    const kept = at < 0 ? records : records.slice(0, at);
    this.#path = path;
    this.#size = kept.at(-1)?.end ?? HEADER.length;
    this.#records = kept.length;
    await truncate(path, this.#size);
    // The mark of a sync: what was uploaded is not all any more.
    await rm(`${path}.synced`, { force: true });
    const last = kept.findLast((record) => record.kind === "history");
    return (last?.step ?? 0) + 1;
  }

  async #append(records: readonly ((num: number) => Uint8Array)[]): Promise<void> {
    const frames: Uint8Array[] = [];
    for (const encode of records) {
      this.#records++;
      const frame = frameRecord(encode(this.#records), this.#size);
      this.#size += frame.length;
      frames.push(frame);
    }
    await appendFile(this.#path, Buffer.concat(frames));
  }
}

/** Eight characters, as the official client's. */
const idOf = (what: string): string =>
  BigInt(`0x${createHash("sha256").update(what).digest("hex")}`)
    .toString(36)
    .slice(-8);

/** YYYYMMDD_HHMMSS, in universal time. */
const stamp = (wallMs: number): string =>
  new Date(wallMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "_");

export const wandbEntry: TrackerEntry = {
  name: "wandb",
  summary: "an offline run of Weights & Biases, for wandb sync",
  options,
  create: (given, context) => new Wandb(given as WandbOptions, context),
};
