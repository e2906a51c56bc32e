// One run from its first event to its last, whatever its nodes are: it is cut into segments at evaluations, checkpoints and correlations.
// At a cut every node has done the same number of steps and no step is under way, so evaluating, saving and resuming need
// no locks and no copies, and each node goes on from where it is: cuts do not show in the numbers. An asynchronous
// strategy's nodes are cut at one moment instead of one step: when the last has done its steps, the others end the step
// that they are in.

import { type ConfigTree, createRandom, InterruptedError, messageOf } from "@atoll/core";
import type { Dataset } from "./data/index.ts";
import { type RunEvaluation, sampledEvaluation, wholeEvaluation } from "./evaluation.ts";
import type { ResolvedFitOptions } from "./options.ts";
import type { RunNodes } from "./runNodes.ts";
import type { RunSnapshot } from "./snapshot.ts";
import { silenceOfRun } from "./strategies/silence.ts";

/** Which examples evaluations are over: on the way, and of the final model. */
export interface EvaluationSets {
  readonly sampled: Uint32Array;
  readonly whole: Uint32Array;
}

export const evaluationSets = (
  validation: Dataset,
  { valSize, seed }: ResolvedFitOptions,
): EvaluationSets => ({
  sampled: sampledEvaluation(validation, valSize, createRandom(seed)),
  whole: wholeEvaluation(validation),
});

/** One call of fit: the cuts, and what is done at them. */
export class FitRun {
  readonly #options: ResolvedFitOptions;
  readonly #nodes: RunNodes;
  readonly #validation: EvaluationSets | undefined;
  readonly #startedAt: number;
  readonly #wallClock: () => number;
  #saved: { readonly step: number; readonly path: string } | undefined;

  constructor(
    options: ResolvedFitOptions,
    nodes: RunNodes,
    validation: EvaluationSets | undefined,
    wall: { readonly startedAt: number; readonly wallClock: () => number },
  ) {
    this.#options = options;
    this.#nodes = nodes;
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
      maxSteps: this.#nodes.maxSteps,
      parameters: this.#nodes.parameterCount,
      seed,
      config,
      startedAt: new Date(this.#startedAt).toISOString(),
      resumedFrom: resume?.step ?? 0,
    });
    emit(this.#nodes.describeTopology());
    const { maxSteps, parameterCount: parameters } = this.#nodes;
    const silence = silenceOfRun(strategy, { nodes, maxSteps, parameters });
    if (silence !== undefined) emit({ type: "warning", message: silence });
  }

  /** Runs segment after segment to the last step. */
  async train(signal: AbortSignal | undefined): Promise<void> {
    const { checkpointInterval, record } = this.#options;
    const valInterval = this.#validates ? this.#options.valInterval : 0;
    const correlationInterval = record?.correlationInterval ?? 0;
    const intervals = [valInterval, checkpointInterval, correlationInterval].filter((every) => every > 0);
    const nodes = this.#nodes;
    while (nodes.step < nodes.maxSteps) {
      const before = nodes.step;
      const horizon = Math.min(nodes.maxSteps, ...intervals.map((every) => nextMultiple(before, every)));
      await nodes.advance(horizon, signal);
      const { step } = nodes;
      const isDue = (interval: number): boolean => interval > 0 && step > before && step % interval === 0;
      if (isDue(correlationInterval)) await nodes.recordCorrelation?.();
      if (isDue(valInterval)) await this.#validate();
      if (isDue(checkpointInterval)) {
        await nodes.keepCheckpoint();
        await this.#save();
      }
      if (signal?.aborted && step < nodes.maxSteps) await this.#interrupt();
    }
  }

  /** On the whole evaluation set. An interrupt does not wait for it: the checkpoint is the trained run's. */
  async finalEvaluation(signal: AbortSignal | undefined): Promise<RunEvaluation | null> {
    if (this.#validation === undefined) return null;
    const evaluation = await unlessAborted(this.#nodes.evaluate(this.#validation.whole), signal);
    if (evaluation === undefined) return this.#interrupt();
    this.#emitEvaluation("test", evaluation);
    return evaluation;
  }

  finish(outcome: "completed" | "interrupted" | "failed", message: string | null): void {
    const { step, time, nodeTimes, bytesSent } = this.#nodes;
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
    this.#emitEvaluation("validation", await this.#nodes.evaluate(this.#validation!.sampled));
  }

  async #save(kept?: RunSnapshot): Promise<string | undefined> {
    const { checkpoints, emit } = this.#options;
    if (checkpoints === undefined || this.#saved?.step === this.#nodes.step) return this.#saved?.path;
    const snapshot = kept ?? (await this.#nodes.snapshot());
    const { step } = snapshot;
    if (this.#saved?.step === step) return this.#saved.path;
    const path = await checkpoints.save(snapshot);
    this.#saved = { step, path };
    emit({ type: "checkpoint", step, path });
    return path;
  }

  async #interrupt(): Promise<never> {
    const { step, maxSteps, goingBackTo } = this.#nodes;
    // Nodes that go back to the last scheduled checkpoint must find that one, not one that an interrupt happened to make.
    const path = await this.#save(goingBackTo);
    const kind = goingBackTo === undefined ? "Checkpoint" : "Last scheduled checkpoint";
    const saved =
      path === undefined ? "There is no checkpoint, since none was asked for." : `${kind}: ${path}.`;
    throw new InterruptedError(`Interrupted after step ${step} of ${maxSteps}. ${saved}`);
  }

  #emitEvaluation(split: "validation" | "test", { loss, accuracy }: RunEvaluation): void {
    const { step, time, bytesSent, nodeTimes } = this.#nodes;
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
export const configOf = (options: ResolvedFitOptions, nodes: RunNodes): ConfigTree => ({
  ...optionsOf(options),
  maxSteps: nodes.maxSteps,
  strategy: { ...options.strategy.config, ...(supposesOverlap(options) ? { overlap: "what-if" } : {}) },
  ...nodes.config,
  ...(options.record === undefined ? {} : { record: options.record.config }),
});

/** Whether exchanges are supposed to begin before gradients are there: nothing is where steps take the time that they take. */
const supposesOverlap = ({ strategy, compute }: ResolvedFitOptions): boolean =>
  strategy.kind === "gradient" && (strategy.exchangesFrom ?? 1) < 1 && compute.kind !== "real";

/** The options that are the same whatever the nodes are, with every default. */
export function optionsOf(options: ResolvedFitOptions): ConfigTree {
  const { nodes, batchSize, minibatchSize, seed, valSize, valInterval, shuffle, checkpointInterval } =
    options;
  return {
    nodes,
    maxSteps: options.steps.count,
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
  };
}
