// Finds an experiment: a built-in by name, or the default export of a TypeScript or JavaScript file.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError, nearest } from "@atoll/core";
import type { Experiment } from "@atoll/train";
import { z } from "zod";
import { builtIns } from "./experiments/index.ts";
import { wordsAndPlace } from "./placeOf.ts";

/** @throws ConfigError if there is no such built-in or file, the file throws, or its default export is no experiment. */
export async function loadExperiment(name: string, workingDirectory: string): Promise<Experiment> {
  const builtIn = builtIns.find((experiment) => experiment.name === name);
  if (builtIn) return builtIn;
  const path = resolve(workingDirectory, name);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw unknownExperiment(name);
  if (!found.isFile() || !/\.[cm]?[jt]s$/.test(name))
    throw new ConfigError(
      `Experiment "${name}": expected a .ts or .js file, got ${found.isFile() ? "a file of another kind" : "a directory"}. Give the file whose default export is the experiment.`,
    );
  return checked(name, await importFile(name, path, workingDirectory));
}

function unknownExperiment(name: string): ConfigError {
  const known = builtIns.map((experiment) => experiment.name);
  if (/[./\\]/.test(name))
    return new ConfigError(
      `Experiment file "${name}" does not exist. Give the path of a .ts file, or a built-in: ${known.join(", ")}.`,
    );
  const guess = nearest(name, known);
  const hint = guess === undefined ? "" : ` Did you mean "${guess}"?`;
  return new ConfigError(
    `Unknown experiment "${name}".${hint} Built-in: ${known.join(", ")}; or give the path of a .ts file.`,
  );
}

async function importFile(name: string, path: string, workingDirectory: string): Promise<unknown> {
  try {
    const module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
    return module.default;
  } catch (cause) {
    throw new ConfigError(
      `Experiment file "${name}" failed to load: ${wordsAndPlace(cause, workingDirectory)}. Mend the file and run again.`,
      cause,
    );
  }
}

function checked(name: string, value: unknown): Experiment {
  const experiment = value as Partial<Experiment> | undefined;
  if (typeof experiment?.create !== "function" || !(experiment.options instanceof z.ZodObject))
    throw new ConfigError(
      `Experiment file "${name}": expected a default export made by defineExperiment({ name, summary, options, create }), got ${value === undefined ? "no default export" : typeof value}.`,
    );
  if (!/^\w[\w.-]*$/.test(experiment.name ?? ""))
    throw new ConfigError(
      `Experiment file "${name}": expected a name of letters, digits, ".", "_" and "-", since run directories are named after it, got ${JSON.stringify(experiment.name)}.`,
    );
  return experiment as Experiment;
}
