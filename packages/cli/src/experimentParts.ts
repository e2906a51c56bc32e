// What an experiment trains on what, made from its own options: its model and its data.

import { AtollError, ConfigError, InterruptedError } from "@atoll/core";
import type { Experiment, ExperimentParts } from "@atoll/train";
import type { RunDirectory } from "@atoll/train/node";
import { dataDirectory } from "./dataDirectory.ts";
import { wordsAndPlace } from "./placeOf.ts";
import type { Progress } from "./progress.ts";
import type { ResolvedConfig } from "./runConfig.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Makes an experiment's model and data, downloading what is not there.
 * @throws ConfigError if the experiment fails or makes something else; InterruptedError if it was broken off
 */
export async function createParts(
  experiment: Experiment,
  { own, run: { seed } }: ResolvedConfig,
  terminal: Terminal,
  progress: Progress,
): Promise<ExperimentParts> {
  let parts: Partial<ExperimentParts> | undefined;
  try {
    parts = await experiment.create(own, {
      seed,
      data: {
        directory: dataDirectory(terminal),
        fetch: terminal.fetch,
        signal: terminal.interrupted,
        onProgress: (download) => progress.download(download),
      },
    });
  } catch (error) {
    if (terminal.interrupted.aborted) throw new InterruptedError("Interrupted before the first step.", error);
    if (error instanceof AtollError) throw error;
    throw new ConfigError(
      `Experiment "${experiment.name}" failed while it made its model and data: ${wordsAndPlace(error, terminal.workingDirectory)}`,
      error,
    );
  }
  if (typeof parts?.model?.apply !== "function" || parts.train === undefined)
    throw new ConfigError(
      `Experiment "${experiment.name}": expected create to return { model, train, validation }, got ${parts === undefined ? "nothing" : `{ ${Object.keys(parts).join(", ")} }`}.`,
    );
  return parts as ExperimentParts;
}

/** Keeps with a run what the tokens of its text stand for, if it is of text. @throws ConfigError if they have changed */
export function keepVocabulary(run: RunDirectory, { train, validation }: ExperimentParts): void {
  const vocabulary = (typeof train === "function" ? validation : train)?.vocabulary;
  if (vocabulary !== undefined) run.keepVocabulary(vocabulary);
}
