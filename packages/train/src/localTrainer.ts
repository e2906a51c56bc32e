// The main job: a run on N simulated machines in this process. Nodes are async functions on a virtual clock; their
// arithmetic is done by an executor, their messages by a simulated network.
// The run is cut into segments at evaluations and checkpoints. At a cut every node has done the same number of steps
// and no step is under way, so evaluating, saving and resuming need no locks and no copies, and each node goes on at
// its own time: cuts do not show in the numbers. An asynchronous strategy's nodes are cut at one moment instead of one
// step: when the last has done its steps, the others end the step that they are in.

import { type ConfigTree, createRandom, InterruptedError, messageOf, type NodeTime } from "@atoll/core";
import { type HostTensor, type Tree, viewsOf } from "@atoll/tensor";
import type { Dataset, DatasetFactory } from "./data/index.ts";
import { averageWeights, type RunEvaluation, sampledEvaluation, wholeEvaluation } from "./evaluation.ts";
import type { ExecutorFactory, ExecutorOptions } from "./executor.ts";
import { inProcessExecutor } from "./inProcessExecutor.ts";
import { measureSteps } from "./measure.ts";
import type { Model } from "./models/index.ts";
import { type FitOptions, type ResolvedFitOptions, resolveFitOptions } from "./options.ts";
import { type PreparedRun, prepareRun } from "./prepare.ts";
import { refuseShortTrace } from "./refuseShortTrace.ts";
import { createSimulation, type Simulation } from "./simulation.ts";
import type { RunSnapshot } from "./snapshot.ts";

export interface LocalTrainerOptions {
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
  readonly simulatedSeconds: number;
  readonly wallSeconds: number;
  /** Each node's simulated time by kind. */
  readonly nodes: readonly NodeTime[];
  /** Bytes each node sent. */
  readonly bytesSent: readonly number[];
  readonly parameterCount: number;
}

export class LocalTrainer {
  readonly #parts: LocalTrainerOptions;

  constructor(parts: LocalTrainerOptions) {
    this.#parts = parts;
  }

  /**
   * Trains on `nodes` simulated machines and returns the average of their models.
   * @throws ConfigError before any work if options, model and data do not fit together.
   * @throws InterruptedError when `signal` is aborted, after a checkpoint; RunError if the run cannot go on.
   */
  async fit(given: FitOptions): Promise<FitResult> {
    const {
      model,
      train,
      validation,
      executor: createExecutor = inProcessExecutor(),
      wallClock,
    } = this.#parts;
    const startedAt = wallClock();
    const asked = resolveFitOptions(given);
    const random = createRandom(asked.seed);
    const prepare = (): Promise<PreparedRun> => prepareRun(model, train, asked, random);
    const prepared = await prepare();
    const examined = validation && evaluationSets(validation, asked);
    const executorOptions: ExecutorOptions = {
      model,
      optimizer: asked.strategy.optimizer,
      layout: prepared.layout,
      bufferLayout: prepared.bufferLayout,
      batchSize: asked.batchSize,
      minibatchSize: asked.minibatchSize,
      sources: prepared.sources,
      evaluation: examined && {
        source: validation!.source,
        counts: [examined.whole.length, examined.sampled.length],
      },
      localSteps: asked.strategy.kind === "parameter",
    };
    await using executor = await createExecutor(executorOptions);
    const measured = asked.resume?.durations ?? undefined;
    const compute = await measureSteps(asked.compute, { executor, prepared, wallClock, measured });
    const options = { ...asked, compute };
    const { flopsPerStep } = executor;
    await refuseShortTrace({ options, random, executor: { ...executorOptions, flopsPerStep }, prepare });
    const simulation = createSimulation({ options, prepared, executor, random });
    const run = new FitRun(options, simulation, examined, { startedAt, wallClock });
    const data = {
      train: prepared.data,
      validation: validation === undefined ? null : { name: validation.name, examples: validation.size },
    };
    run.announce({ ...configOf(options, simulation), data, model: model.config });
    try {
      await run.train(options.signal);
      const evaluation = await run.finalEvaluation(options.signal);
      const { parameters, buffers } = averageWeights(simulation.currentReplicas);
      run.finish("completed", null);
      return {
        parameters: viewsOf(parameters, prepared.layout),
        buffers: viewsOf(buffers, prepared.bufferLayout),
        strategy: options.strategy.name,
        seed: options.seed,
        steps: simulation.step,
        evaluation,
        simulatedSeconds: simulation.time,
        wallSeconds: run.wallSeconds,
        nodes: simulation.nodeTimes,
        bytesSent: simulation.bytesSent,
        parameterCount: prepared.layout.size,
      };
    } catch (error) {
      run.fail(error);
      throw error;
    }
  }
}

/** Which examples evaluations are over: on the way, and of the final model. */
interface EvaluationSets {
  readonly sampled: Uint32Array;
  readonly whole: Uint32Array;
}

const evaluationSets = (validation: Dataset, { valSize, seed }: ResolvedFitOptions): EvaluationSets => ({
  sampled: sampledEvaluation(validation, valSize, createRandom(seed)),
  whole: wholeEvaluation(validation),
});

/** One call of fit: the cuts, and what is done at them. */
class FitRun {
  readonly #options: ResolvedFitOptions;
  readonly #simulation: Simulation;
  readonly #validation: EvaluationSets | undefined;
  readonly #startedAt: number;
  readonly #wallClock: () => number;
  #saved: { readonly step: number; readonly path: string } | undefined;

  constructor(
    options: ResolvedFitOptions,
    simulation: Simulation,
    validation: EvaluationSets | undefined,
    wall: { readonly startedAt: number; readonly wallClock: () => number },
  ) {
    this.#options = options;
    this.#simulation = simulation;
    this.#startedAt = wall.startedAt;
    this.#wallClock = wall.wallClock;
    this.#validation = validation;
  }

  get wallSeconds(): number {
    return (this.#wallClock() - this.#startedAt) / 1000;
  }

  announce(config: ConfigTree): void {
    const { emit, name, strategy, nodes, seed, resume } = this.#options;
    emit({
      type: "runStarted",
      name,
      strategy: strategy.name,
      nodes,
      maxSteps: this.#simulation.maxSteps,
      parameters: this.#simulation.parameterCount,
      seed,
      config,
      startedAt: new Date(this.#startedAt).toISOString(),
      resumedFrom: resume?.step ?? 0,
    });
    emit(this.#simulation.describeTopology());
  }

  /** Runs segment after segment to the last step. */
  async train(signal: AbortSignal | undefined): Promise<void> {
    const { valInterval, checkpointInterval } = this.#options;
    const simulation = this.#simulation;
    while (simulation.step < simulation.maxSteps) {
      const horizon = Math.min(
        simulation.maxSteps,
        this.#validates ? nextMultiple(simulation.step, valInterval) : simulation.maxSteps,
        checkpointInterval > 0 ? nextMultiple(simulation.step, checkpointInterval) : simulation.maxSteps,
      );
      const before = simulation.step;
      await simulation.advance(horizon, signal);
      const { step } = simulation;
      const isDue = (interval: number): boolean => step > before && step % interval === 0;
      if (this.#validates && isDue(valInterval)) await this.#validate();
      if (checkpointInterval > 0 && isDue(checkpointInterval)) {
        simulation.keepCheckpoint();
        await this.#save();
      }
      if (signal?.aborted && step < simulation.maxSteps) await this.#interrupt();
    }
  }

  /** On the whole evaluation set. An interrupt does not wait for it: the checkpoint is the trained run's. */
  async finalEvaluation(signal: AbortSignal | undefined): Promise<RunEvaluation | null> {
    if (this.#validation === undefined) return null;
    const evaluation = await unlessAborted(this.#simulation.evaluate(this.#validation.whole), signal);
    if (evaluation === undefined) return this.#interrupt();
    this.#emitEvaluation("test", evaluation);
    return evaluation;
  }

  finish(outcome: "completed" | "interrupted" | "failed", message: string | null): void {
    const { step, time, nodeTimes, bytesSent } = this.#simulation;
    this.#options.emit({
      type: "runFinished",
      outcome,
      message,
      steps: step,
      simulatedSeconds: time,
      wallSeconds: this.wallSeconds,
      nodes: nodeTimes,
      bytesSent,
    });
  }

  /** Ends a run that did not get to its end. What went wrong first is the error: a sink that fails once more adds nothing. */
  fail(error: unknown): void {
    try {
      this.finish(error instanceof InterruptedError ? "interrupted" : "failed", messageOf(error));
    } catch {
      // The caller throws `error`.
    }
  }

  get #validates(): boolean {
    return this.#validation !== undefined && this.#options.valSize > 0;
  }

  async #validate(): Promise<void> {
    this.#emitEvaluation("validation", await this.#simulation.evaluate(this.#validation!.sampled));
  }

  async #save(of: () => RunSnapshot = () => this.#simulation.snapshot()): Promise<string | undefined> {
    const { checkpoints, emit } = this.#options;
    if (checkpoints === undefined || this.#saved?.step === this.#simulation.step) return this.#saved?.path;
    const snapshot = of();
    const { step } = snapshot;
    if (this.#saved?.step === step) return this.#saved.path;
    const path = await checkpoints.save(snapshot);
    this.#saved = { step, path };
    emit({ type: "checkpoint", step, path });
    return path;
  }

  async #interrupt(): Promise<never> {
    const { step, maxSteps, goingBackTo } = this.#simulation;
    // Nodes that go back to the last scheduled checkpoint must find that one, not one that an interrupt happened to make.
    const path = await this.#save(goingBackTo && (() => goingBackTo));
    const kind = goingBackTo === undefined ? "Checkpoint" : "Last scheduled checkpoint";
    const saved =
      path === undefined ? "There is no checkpoint, since none was asked for." : `${kind}: ${path}.`;
    throw new InterruptedError(`Interrupted after step ${step} of ${maxSteps}. ${saved}`);
  }

  #emitEvaluation(split: "validation" | "test", { loss, accuracy }: RunEvaluation): void {
    const { step, time, bytesSent, nodeTimes } = this.#simulation;
    const bytes = bytesSent.reduce((sum, sent) => sum + sent, 0) / nodeTimes.length;
    this.#options.emit({ type: "evaluation", step, split, time, bytesSent: bytes, loss, accuracy });
  }
}

/** The result, or undefined as soon as the signal is aborted. */
async function unlessAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return result;
  if (signal.aborted) {
    result.catch(() => undefined);
    return undefined;
  }
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => {
    result.catch(() => undefined);
    resolve(undefined);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

const nextMultiple = (step: number, interval: number): number => (Math.floor(step / interval) + 1) * interval;

/** The run's options with every default, and what they came to. */
function configOf(
  options: ResolvedFitOptions,
  { maxSteps, network, compute, faults }: Simulation,
): ConfigTree {
  const { nodes, batchSize, minibatchSize, seed, valSize, valInterval, shuffle, checkpointInterval } =
    options;
  return {
    nodes,
    maxSteps,
    batchSize,
    minibatchSize,
    seed,
    valSize,
    valInterval,
    shuffle,
    checkpointInterval,
    partition: { ...options.partition },
    strategy: options.strategy.config,
    optimizer: options.strategy.optimizer.config,
    network,
    allReduce: options.allReduce,
    compute,
    ...(faults === null ? {} : { faults }),
  };
}
