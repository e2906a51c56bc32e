// An experiment is what a run trains on what: a model, training data, evaluation data, and the options that choose
// among them. It is a TypeScript file with a typed default export, or a built-in. How it is trained (nodes, strategy,
// network …) are the run's options, the same for every experiment.

import type { ConfigTree } from "@atoll/core";
import type { z } from "zod";
import type { Dataset, DatasetFactory } from "./data/index.ts";
import type { Model } from "./models/index.ts";
import type { DataOptions } from "./node/data/download.ts";

/** What an experiment may use of the outside world. */
export interface ExperimentContext {
  /** Where data sets are, and how they are downloaded: what loaders such as `loadMnist` take. */
  readonly data: DataOptions;
  readonly seed: number;
}

export interface ExperimentParts {
  readonly model: Model;
  readonly train: Dataset | DatasetFactory;
  readonly validation?: Dataset;
}

export interface Experiment<S extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** The experiment's own options, beside the run's: `data`, `model`, `blockSize` … */
  readonly options: S;
  /** Run options for which the experiment has its own defaults. */
  readonly defaults?: ConfigTree;
  create(options: z.output<S>, context: ExperimentContext): Promise<ExperimentParts>;
}

/** Types an experiment; the value is returned as it is. */
export const defineExperiment = <S extends z.ZodObject>(experiment: Experiment<S>): Experiment<S> =>
  experiment;
