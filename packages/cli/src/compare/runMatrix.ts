// Does the runs of a comparison: one training after another in as many lanes as the cores are shared by, each training's
// other networks repriced. A run that fails is noted and the others go on; an interrupt ends them all.

import { availableParallelism } from "node:os";
import { ConfigError, type ConfigTree, formatSeconds, InterruptedError, messageOf } from "@atoll/core";
import {
  formatLoss,
  latencyShare,
  type RunFacts,
  type RunRecord,
  reprice,
  runCosts,
  runFacts,
} from "@atoll/study";
import { readRun, writeReport } from "@atoll/study/node";
import type { Experiment, ExperimentParts } from "@atoll/train";
import { LocalTrainer, type RunDirectory, startWorkers, type Workers } from "@atoll/train/node";
import { createParts, keepVocabulary } from "../experimentParts.ts";
import { Progress } from "../progress.ts";
import { readersOf } from "../runReaders.ts";
import { runSummary } from "../runSummary.ts";
import type { Terminal } from "../terminal.ts";
import { isRepriceable, type MatrixRun, type Training } from "./matrix.ts";
import { finishedRecord, type MatrixDirectory, newMatrixRun, openMatrixRun } from "./matrixRuns.ts";

/** How a run of the matrix ended. */
export type MatrixOutcome =
  | { readonly kind: "done"; readonly facts: RunFacts; readonly latencyShare: number | null }
  | { readonly kind: "failed"; readonly reason: string };

export interface MatrixContext {
  readonly experiment: Experiment;
  readonly directory: MatrixDirectory;
  readonly terminal: Terminal;
}

interface Lane extends MatrixContext {
  readonly workers: Workers;
  /** Notes how a run ended. */
  done(run: MatrixRun, outcome: MatrixOutcome, how: string): void;
}

/** A training that is on disk, for the other networks to be repriced from. */
interface Source {
  readonly run: MatrixRun;
  readonly record: RunRecord;
}

/** @throws InterruptedError if it was broken off; what is done by then is on disk */
export async function runMatrix(
  trainings: readonly Training[],
  context: MatrixContext,
): Promise<ReadonlyMap<MatrixRun, MatrixOutcome>> {
  const { terminal } = context;
  const total = trainings.reduce((sum, { runs }) => sum + runs.length, 0);
  const outcomes = new Map<MatrixRun, MatrixOutcome>();
  const done = (run: MatrixRun, outcome: MatrixOutcome, how: string): void => {
    outcomes.set(run, outcome);
    const text =
      outcome.kind === "failed" ? `FAILED: ${outcome.reason}` : `${how}; ${describe(outcome.facts)}`;
    terminal.error(`[${outcomes.size}/${total}] ${run.name}: ${text}\n`);
  };
  const waiting = [...trainings];
  const { lanes, threads } = shareCores(trainings);
  const lane = async (): Promise<void> => {
    await using workers = startWorkers(threads);
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      await doTraining(next, { ...context, workers, done });
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, lane));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return outcomes;
}

const describe = ({ loss, costs }: RunFacts): string =>
  `${Number.isFinite(loss) ? `loss ${formatLoss(loss)}` : "diverged"}, simulated ${formatSeconds(costs.simulatedSeconds)}`;

/** A training keeps as many threads busy as it has nodes: small ones run beside each other. */
export function shareCores(
  trainings: readonly Training[],
  cores: number = availableParallelism(),
): { readonly lanes: number; readonly threads: number } {
  const configs = trainings.flatMap(({ runs }) => runs.map(({ config }) => config.run));
  const wanted = Math.max(1, ...configs.map(({ nodes, workers }) => workers ?? Math.min(cores, nodes)));
  const lanes = Math.max(1, Math.min(trainings.length, Math.floor(cores / wanted)));
  const given = configs.some(({ workers }) => workers !== undefined);
  return { lanes, threads: given ? wanted : Math.max(1, Math.floor(cores / lanes)) };
}

async function doTraining({ runs }: Training, lane: Lane): Promise<void> {
  const { directory, terminal, experiment } = lane;
  const open: MatrixRun[] = [];
  let source: Source | undefined;
  for (const run of runs) {
    const record = await attempt(run, lane, () => finishedRecord(directory, run));
    if (record === "failed") continue;
    if (record === undefined) open.push(run);
    else {
      source ??= { run, record };
      lane.done(run, outcomeOf(record), "was done before");
    }
  }
  let parts: ExperimentParts | undefined;
  for (const run of open) {
    if (terminal.interrupted.aborted) throw new InterruptedError("Interrupted between two runs.");
    const made = await attempt(run, lane, async () => {
      parts ??= await createParts(experiment, run.config, terminal, new Progress(terminal));
      if (source === undefined) return trainRun(run, parts, lane);
      return repriceRun(run, source, parts, lane);
    });
    if (made === "failed") continue;
    const how = source === undefined ? "trained" : `repriced from ${source.run.name}`;
    source ??= { run, record: made };
    lane.done(run, outcomeOf(made), how);
  }
}

/** What went wrong ends this run and no other, but for an interrupt. */
async function attempt<T>(run: MatrixRun, lane: Lane, action: () => Promise<T>): Promise<T | "failed"> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    lane.done(run, { kind: "failed", reason: messageOf(error) }, "");
    return "failed";
  }
}

async function trainRun(run: MatrixRun, parts: ExperimentParts, lane: Lane): Promise<RunRecord> {
  const { directory, terminal, workers } = lane;
  const { interrupted: signal, now: wallClock } = terminal;
  await using own = openMatrixRun(directory, run);
  const resume = own.resumeSnapshot();
  keepVocabulary(own, parts);
  const { emit, tracking } = readersOf(own, run.config, terminal, () => {});
  await using _ = tracking;
  const result = await new LocalTrainer({ ...parts, workers, wallClock }).fit({
    ...run.fit,
    name: own.name,
    checkpoints: own,
    signal,
    ...(resume === undefined ? {} : { resume }),
    emit,
  });
  await tracking.close();
  await own.writeModel(result);
  return finish(own, run, parts, runSummary(own, result, await readRun(own.path), terminal));
}

async function repriceRun(
  run: MatrixRun,
  { run: from, record }: Source,
  parts: ExperimentParts,
  { directory, terminal }: Lane,
): Promise<RunRecord> {
  const repriced = await reprice({
    record,
    parts,
    fit: from.fit,
    network: run.fit.network ?? {},
    signal: terminal.interrupted,
  });
  await using own = newMatrixRun(directory, run, { repricedFrom: from.name });
  for (const event of repriced.events)
    own.record(event.type === "runStarted" ? { ...event, name: own.name } : event);
  const { simulatedSeconds, totalBytes, nodes } = runCosts(repriced);
  return finish(own, run, parts, {
    name: own.name,
    runDir: own.path,
    repricedFrom: from.name,
    nodes,
    seed: run.seed,
    simulatedSeconds,
    totalBytes,
  });
}

/** Writes the summary, with what only a further look at the run can tell, and the report. */
async function finish(
  own: RunDirectory,
  run: MatrixRun,
  parts: ExperimentParts,
  summary: ConfigTree,
): Promise<RunRecord> {
  own.flush();
  const share = await latencyShareOf(await readRun(own.path), run, parts);
  own.writeSummary({ ...summary, latencyShare: share });
  await writeReport(own.path);
  return readRun(own.path);
}

/** Of the first repeat, where something else than computing takes most of the time. */
async function latencyShareOf(
  record: RunRecord,
  run: MatrixRun,
  parts: ExperimentParts,
): Promise<number | null> {
  if (!run.isFirst || !isRepriceable(run)) return null;
  const { computeSeconds, communicationSeconds, waitingSeconds } = runCosts(record);
  if (computeSeconds >= communicationSeconds + waitingSeconds) return null;
  try {
    return await latencyShare({ record, parts, fit: run.fit, network: run.fit.network ?? {} });
  } catch (error) {
    // The run itself is as good without knowing that.
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

function outcomeOf(record: RunRecord): MatrixOutcome {
  const share = record.summary?.latencyShare;
  return { kind: "done", facts: runFacts(record), latencyShare: typeof share === "number" ? share : null };
}
