// A run that was made before, from its directory: its record, and the experiment and options that made it.

import { join } from "node:path";
import { ConfigError, type ConfigTree, type ConfigValue } from "@atoll/core";
import type { RunRecord } from "@atoll/study";
import { readRun } from "@atoll/study/node";
import type { Experiment } from "@atoll/train";
import { loadExperiment } from "./loadExperiment.ts";
import { findRun, type RunPlaces } from "./runPaths.ts";

export interface RecordedRun {
  readonly path: string;
  readonly record: RunRecord;
  readonly experiment: Experiment;
  /** Its options with their defaults, as config.json has them. */
  readonly options: ConfigTree;
}

/**
 * @param name as for `findRun`
 * @throws ConfigError if there is none, or it says not what made it; RunError if a file of it is damaged
 */
export async function openRecordedRun(name: string, places: RunPlaces): Promise<RecordedRun> {
  const path = findRun(name, places);
  const record = await readRun(path);
  const { experiment, options } = record.config;
  if (typeof experiment !== "string" || !isTree(options))
    throw new ConfigError(
      `Run "${name}": expected its experiment and options in ${join(path, "config.json")}, got neither. Give a run that npx atoll train has made.`,
    );
  return { path, record, experiment: await loadExperiment(experiment, places.workingDirectory), options };
}

const isTree = (value: ConfigValue | undefined): value is ConfigTree =>
  typeof value === "object" && value !== null && !Array.isArray(value);
