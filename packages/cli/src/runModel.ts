// The model of a recorded run, to be used again: Atoll's own GPT from what config.json says of it, any other from the
// experiment that made it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ConfigError, type ConfigTree, messageOf } from "@atoll/core";
import { type GptOptions, gpt, type Model } from "@atoll/train";
import { createParts } from "./experimentParts.ts";
import { loadExperiment } from "./loadExperiment.ts";
import { Progress } from "./progress.ts";
import { resolveConfig } from "./runConfig.ts";
import type { Terminal } from "./terminal.ts";

/** What config.json holds of the run. */
interface SavedConfig {
  readonly experiment: string;
  readonly options: ConfigTree;
  readonly resolved: { readonly model: ConfigTree };
}

/** @throws ConfigError if config.json does not say what the model is, or the experiment now makes another one */
export async function modelOfRun(path: string, terminal: Terminal): Promise<Model> {
  const { experiment: named, options, resolved } = readConfig(path);
  const { kind, layers, heads, features, ...others } = resolved.model;
  if (kind === "gpt") return gpt({ size: { layers, heads, features }, ...others } as unknown as GptOptions);
  const experiment = await loadExperiment(named, terminal.workingDirectory);
  const config = resolveConfig(experiment, options);
  const { model } = await createParts(experiment, config, terminal, new Progress(terminal));
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(model.config)), resolved.model))
    throw new ConfigError(
      `The run ${path} trained the model ${JSON.stringify(resolved.model)}, but its experiment "${named}" now makes ${JSON.stringify(model.config)}. Go back to the experiment and the data that it was trained with.`,
    );
  return model;
}

function readConfig(runDirectory: string): SavedConfig {
  const path = join(runDirectory, "config.json");
  let config: Partial<SavedConfig>;
  try {
    config = JSON.parse(readFileSync(path, "utf8")) as Partial<SavedConfig>;
  } catch (cause) {
    throw new ConfigError(`Damaged run: ${path}: expected JSON (${messageOf(cause)}).`, cause);
  }
  const { experiment, options, resolved } = config;
  if (typeof experiment !== "string" || options === undefined || resolved?.model === undefined)
    throw new ConfigError(
      `${path}: expected the run's experiment, options and model, got not all of them. Give a run that npx atoll train has made.`,
    );
  return { experiment, options, resolved };
}
