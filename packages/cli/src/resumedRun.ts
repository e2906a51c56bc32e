// The run that `--resume` goes on with: found by `--name`, and said clearly where a command line does not name one.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { ConfigError, nearest } from "@atoll/core";
import { RunDirectory } from "@atoll/train/node";

export interface ResumeArguments {
  /** "train" or "node". */
  readonly command: string;
  /** What the command line says first beside flags, if anything. */
  readonly experiment: string | undefined;
  readonly name: string | undefined;
  readonly runsDirectory: string;
  /** As it was given, if it was. */
  readonly givenDirectory: string | undefined;
}

/**
 * For `--resume demo` and `--resume=demo`, where the name belongs to `--name`, and for no name or no experiment at all.
 * @throws ConfigError with the command line that was meant, as far as it can be told
 */
export function refuseUnclearResume(argv: readonly string[], given: ResumeArguments): void {
  const { experiment, name, runsDirectory } = given;
  const value = valueOfResume(argv, given);
  if (value !== undefined) {
    const named = experiment === value ? undefined : experiment;
    throw new ConfigError(
      `Flag "--resume" takes no value, got "${value}": --name names the run to go on with. ${remedy(given, value, named)}`,
    );
  }
  if (name === undefined)
    throw new ConfigError(
      `--resume needs to know which run: add --name NAME (runs are in ${runsDirectory}).`,
    );
  if (experiment === undefined)
    throw new ConfigError(
      `Expected the experiment of the run to resume first, got nothing. ${remedy(given, name, undefined)}`,
    );
}

/** What stands behind the flag as if it was its value. The experiment may stand there, unless it is the name of a run. */
function valueOfResume(
  argv: readonly string[],
  { experiment, name, runsDirectory }: ResumeArguments,
): string | undefined {
  const joined = argv.find((argument) => argument.startsWith("--resume="));
  if (joined !== undefined) return joined.slice("--resume=".length);
  const next = argv[argv.indexOf("--resume") + 1];
  if (next === undefined || next.startsWith("-") || next.includes("=")) return undefined;
  const isExperiment = next === experiment && (name !== undefined || !isRun(runsDirectory, next));
  return isExperiment ? undefined : next;
}

const isRun = (runsDirectory: string, name: string): boolean =>
  existsSync(join(runsDirectory, name, "config.json"));

function remedy(given: ResumeArguments, run: string, experiment: string | undefined): string {
  const { command, runsDirectory, givenDirectory } = given;
  const known = experiment ?? experimentOf(join(runsDirectory, run, "config.json")) ?? "EXPERIMENT";
  const directory = givenDirectory === undefined ? "" : ` --runs-dir ${givenDirectory}`;
  return `Write: npx atoll ${command} ${known} --resume --name ${run || "NAME"}${directory}`;
}

/** The experiment that a run's config.json names; undefined where there is none to read. */
function experimentOf(config: string): string | undefined {
  try {
    const { experiment } = JSON.parse(readFileSync(config, "utf8")) as { readonly experiment?: unknown };
    return typeof experiment === "string" ? experiment : undefined;
  } catch {
    return undefined;
  }
}

/** @throws ConfigError if there is no such run, it is of another experiment, or nothing of it is left to do */
export function openResumedRun(
  { runsDirectory, name, experiment }: { readonly [key in "runsDirectory" | "name" | "experiment"]: string },
  workingDirectory: string,
): RunDirectory {
  if (!isRun(runsDirectory, name)) throw noRun(runsDirectory, name);
  const run = RunDirectory.open(runsDirectory, name);
  const path = (given: unknown): string => resolve(workingDirectory, String(given));
  if (path(run.config.experiment) !== path(experiment))
    throw new ConfigError(
      `Run "${name}" is of experiment "${String(run.config.experiment)}", not "${experiment}". Resume it with that, or choose a new name.`,
    );
  return run;
}

function noRun(runsDirectory: string, name: string): ConfigError {
  const there = `There is no run "${name}" in ${runsDirectory} to resume`;
  if (existsSync(join(runsDirectory, name, "comparison.json")))
    return new ConfigError(
      `${there}: that is a comparison, which the same npx atoll compare … --name ${name} goes on with.`,
    );
  const runs = existsSync(runsDirectory) ? readdirSync(runsDirectory) : [];
  const guess = nearest(
    basename(name),
    runs.filter((run) => isRun(runsDirectory, run)),
  );
  const remedy =
    guess === undefined
      ? "Check the name and --runs-dir, or run without --resume."
      : `Did you mean --name ${guess}?`;
  return new ConfigError(`${there}. ${remedy}`);
}
