// What every way to train has in common: before there are nodes, the options and the data are settled; once there are,
// they are driven through the run to its result.

import { type ConfigTree, createRandom, type NodeTime, type Random } from "@atoll/core";
import { type HostTensor, type Tree, viewsOf } from "@atoll/tensor";
import type { Dataset, DatasetFactory } from "./data/index.ts";
import type { RunEvaluation } from "./evaluation.ts";
import type { ExecutorFactory, ExecutorOptions } from "./executor.ts";
import { configOf, type EvaluationSets, evaluationSets, FitRun } from "./fitRun.ts";
import type { Model } from "./models/index.ts";
import { type FitOptions, type ResolvedFitOptions, resolveFitOptions } from "./options.ts";
import { type PreparedRun, prepareRun } from "./prepare.ts";
import type { RunNodes } from "./runNodes.ts";

/** What is trained on what, and by what. */
export interface TrainerParts {
  readonly model: Model;
  /** One data set that is spread over the nodes, or a factory that makes each node's own. */
  readonly train: Dataset | DatasetFactory;
  /** What models are evaluated on; without it a run has no evaluations. */
  readonly validation?: Dataset;
  /** Where the arithmetic is done. Default: in this thread, which works everywhere. */
  readonly executor?: ExecutorFactory;
  /** Milliseconds since 1970, for wall-clock figures and measured step durations. */
  readonly wallClock: () => number;
}

export interface FitResult {
  /** The average of all nodes' models. */
  readonly parameters: Tree<HostTensor>;
  readonly buffers: Tree<HostTensor>;
  readonly strategy: string;
  readonly seed: number;
  readonly steps: number;
  /** On the whole validation set; null if there is none. */
  readonly evaluation: RunEvaluation | null;
  /** Seconds of the run: on the virtual clock, or, of processes, real ones without the time that evaluations took. */
  readonly simulatedSeconds: number;
  readonly wallSeconds: number;
  /** Each node's time by kind. */
  readonly nodes: readonly NodeTime[];
  /** Bytes each node sent. */
  readonly bytesSent: readonly number[];
  readonly parameterCount: number;
}

/** A run that is settled and has not begun: the same on every rank. */
export interface FitSetup {
  readonly parts: TrainerParts;
  readonly options: ResolvedFitOptions;
  /** The run's stream. */
  readonly random: Random;
  readonly prepared: PreparedRun;
  /** Prepares the run once more: its samplers are used up by whoever tries it out. */
  prepare(): Promise<PreparedRun>;
  readonly examined: EvaluationSets | undefined;
  readonly executorOptions: ExecutorOptions;
}

/** @throws ConfigError if options, model and data do not fit together. */
export async function setUpFit(parts: TrainerParts, given: FitOptions): Promise<FitSetup> {
  const { model, train, validation } = parts;
  const options = resolveFitOptions(given);
  const random = createRandom(options.seed);
  const prepare = (): Promise<PreparedRun> => prepareRun(model, train, options, random);
  const prepared = await prepare();
  const examined = validation && evaluationSets(validation, options);
  const executorOptions: ExecutorOptions = {
    model,
    optimizer: options.strategy.optimizer,
    layout: prepared.layout,
    bufferLayout: prepared.bufferLayout,
    batchSize: options.batchSize,
    minibatchSize: options.minibatchSize,
    sources: prepared.sources,
    evaluation: examined && {
      source: validation!.source,
      counts: [examined.whole.length, examined.sampled.length],
    },
    localSteps: options.strategy.kind === "parameter",
  };
  return { parts, options, random, prepared, prepare, examined, executorOptions };
}

/**
 * Takes nodes through the run, and returns the average of their models.
 * @param startedAt milliseconds since 1970
 * @throws InterruptedError when the options' signal is aborted, after a checkpoint; RunError if the run cannot go on
 */
export async function fitNodes(setup: FitSetup, nodes: RunNodes, startedAt: number): Promise<FitResult> {
  const { options, prepared, examined, parts } = setup;
  const run = new FitRun(options, nodes, examined, { startedAt, wallClock: parts.wallClock });
  run.announce({ ...configOf(options, nodes), data: dataOf(setup), model: parts.model.config });
  try {
    await run.train(options.signal);
    const evaluation = await run.finalEvaluation(options.signal);
    const { parameters, buffers } = await nodes.average();
    run.finish("completed", null);
    return {
      parameters: viewsOf(parameters, prepared.layout),
      buffers: viewsOf(buffers, prepared.bufferLayout),
      strategy: options.strategy.name,
      seed: options.seed,
      steps: nodes.step,
      evaluation,
      simulatedSeconds: nodes.time,
      wallSeconds: run.wallSeconds,
      nodes: nodes.nodeTimes,
      bytesSent: nodes.bytesSent,
      parameterCount: prepared.layout.size,
    };
  } catch (error) {
    run.fail(error);
    throw error;
  }
}

const dataOf = ({ prepared, parts: { validation } }: FitSetup): ConfigTree => ({
  train: { ...prepared.data },
  validation: validation === undefined ? null : { name: validation.name, examples: validation.size },
});
