// Finds the directories of runs that were made before, by what a user calls them.

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { ConfigError, nearest } from "@atoll/core";

/** Where runs are looked for. */
export interface RunPlaces {
  readonly runsDirectory: string;
  readonly workingDirectory: string;
}

const isRun = (path: string): boolean => existsSync(join(path, "events.jsonl"));

/**
 * The directory of one run.
 * @param name a run directory, or the name of one in `runsDirectory`
 * @throws ConfigError if there is none, or a comparison
 */
export function findRun(name: string, places: RunPlaces): string {
  const path = candidatesOf(name, places).find(isRun);
  if (path !== undefined) return path;
  for (const place of candidatesOf(name, places)) {
    const [first] = runsIn(place);
    if (first === undefined) continue;
    const what = place === places.runsDirectory ? "the directory of all runs" : "a comparison";
    throw new ConfigError(
      `Expected one run, got ${name}, which is ${what}. Name one of its runs, such as ${join(name, basename(first))}.`,
    );
  }
  throw noSuchRun(name, places);
}

/** What a name stands for: one run, or a comparison with the runs in it. */
export interface NamedRuns {
  readonly path: string;
  readonly kind: "run" | "comparison";
  /** In the order of their names; numbers in them count as numbers. */
  readonly runs: readonly string[];
}

/**
 * @param names of runs, of directories of runs, or of comparisons
 * @throws ConfigError if one of them is neither, or a run is given twice
 */
export function namedRuns(names: readonly string[], places: RunPlaces): readonly NamedRuns[] {
  const found = names.map((name): NamedRuns => {
    const run = candidatesOf(name, places).find(isRun);
    if (run !== undefined) return { path: run, kind: "run", runs: [run] };
    for (const path of candidatesOf(name, places)) {
      const runs = runsIn(path);
      if (runs.length > 0) return { path, kind: "comparison", runs };
    }
    throw noSuchRun(name, places);
  });
  refuseTwice(found.flatMap(({ runs }) => runs));
  return found;
}

const candidatesOf = (name: string, { runsDirectory, workingDirectory }: RunPlaces): readonly string[] => [
  join(runsDirectory, name),
  resolve(workingDirectory, name),
];

/** The runs of a comparison; the directory of all runs is none, unless it is given as that. */
function runsIn(path: string): readonly string[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isRun(join(path, entry.name)))
    .map(({ name }) => name)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .map((name) => join(path, name));
}

function refuseTwice(paths: readonly string[]): void {
  const seen = new Set<string>();
  for (const path of paths) {
    if (seen.has(path))
      throw new ConfigError(`Run "${basename(path)}" is given twice (${path}). Give it once.`);
    seen.add(path);
  }
}

function noSuchRun(name: string, places: RunPlaces): ConfigError {
  const { runsDirectory } = places;
  const present = candidatesOf(name, places).find((path) => existsSync(path));
  if (present !== undefined)
    return new ConfigError(
      `Expected a run, got ${present}, which has no events.jsonl. Name the directory of a run that has it, or train again.`,
    );
  const guess = nearest(name, existsSync(runsDirectory) ? readdirSync(runsDirectory) : []);
  const hint = guess === undefined ? "" : ` Did you mean "${guess}"?`;
  return new ConfigError(
    `There is no run "${name}", neither in ${runsDirectory} nor as a directory with events.jsonl.${hint} Give a run's name or its directory.`,
  );
}
