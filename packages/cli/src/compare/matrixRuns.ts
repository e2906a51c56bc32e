// The runs of a matrix on disk: each in a directory of its own below the comparison's. A finished one is read back, an
// interrupted one goes on from its checkpoint, one without a checkpoint starts over.

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { ConfigError, type ConfigTree, messageOf } from "@atoll/core";
import type { RunRecord } from "@atoll/study";
import { readRun } from "@atoll/study/node";
import { RunDirectory } from "@atoll/train/node";
import { refuseChanges } from "../runConfig.ts";
import { VERSION } from "../version.ts";
import type { MatrixRun } from "./matrix.ts";

export interface MatrixDirectory {
  readonly path: string;
  /** As the command line named it. */
  readonly experiment: string;
}

/** @throws ConfigError if a run of that name was made with other options */
export function refuseOtherOptions({ path }: MatrixDirectory, { name, config }: MatrixRun): void {
  const file = join(path, name, "config.json");
  if (!existsSync(file)) return;
  let saved: { readonly options?: ConfigTree };
  try {
    saved = JSON.parse(readFileSync(file, "utf8")) as { readonly options?: ConfigTree };
  } catch (cause) {
    throw new ConfigError(
      `Damaged run: ${file}: expected JSON (${messageOf(cause)}). Remove its directory.`,
      cause,
    );
  }
  try {
    refuseChanges(saved.options ?? {}, config.options);
  } catch (cause) {
    throw new ConfigError(
      `Run "${name}" in ${path} was made with other options: ${messageOf(cause)} Give the comparison another --name.`,
      cause,
    );
  }
}

/** @throws ConfigError if there are runs of the same comparison that a matrix leaves out: its page would lose them */
export function refuseLeftOut({ path }: MatrixDirectory, runs: readonly MatrixRun[]): void {
  if (!existsSync(path)) return;
  const names = new Set(runs.map(({ name }) => name));
  const left = readdirSync(path, { withFileTypes: true }).find(
    (entry) =>
      entry.isDirectory() && !names.has(entry.name) && existsSync(join(path, entry.name, "events.jsonl")),
  );
  if (left !== undefined)
    throw new ConfigError(
      `Comparison "${basename(path)}" has runs that this one leaves out, such as "${left.name}", and its page would lose them. Give all values that it was made with (its page has the command), or another --name.`,
    );
}

export const isFinished = ({ path }: MatrixDirectory, { name }: MatrixRun): boolean =>
  existsSync(join(path, name, "summary.json"));

/** The record of a run that is finished; undefined for any other. @throws RunError if a file of it is damaged */
export async function finishedRecord(
  directory: MatrixDirectory,
  run: MatrixRun,
): Promise<RunRecord | undefined> {
  return isFinished(directory, run) ? readRun(join(directory.path, run.name)) : undefined;
}

/** The directory to train in: from a checkpoint if there is one, anew otherwise. */
export function openMatrixRun(directory: MatrixDirectory, run: MatrixRun): RunDirectory {
  try {
    return RunDirectory.open(directory.path, run.name);
  } catch (error) {
    // There is no such run yet, or nothing of it that could be gone on with.
    if (error instanceof ConfigError) return newMatrixRun(directory, run, {});
    throw error;
  }
}

/** A new directory for a run, in the place of whatever an earlier attempt has left. */
export function newMatrixRun(directory: MatrixDirectory, run: MatrixRun, more: ConfigTree): RunDirectory {
  rmSync(join(directory.path, run.name), { recursive: true, force: true });
  return RunDirectory.create(directory.path, run.name, {
    named: true,
    config: {
      atoll: VERSION,
      node: process.version,
      experiment: directory.experiment,
      command: ["npx", "atoll", "train", directory.experiment, ...run.pairs],
      options: run.config.options,
      ...more,
    },
  });
}
