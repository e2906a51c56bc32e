// One case of a validation, run both ways: as processes whose links are held back in user space, and simulated with the
// steps' durations as the same processes took them: ranks that share a machine's cores slow each other down, and so do other
// programs, which no model of a network can know. What is held against reality is the network, and the waiting for each other.

import type { NodeTime, RunEvent, RunStarted } from "@atoll/core";
import type { Experiment, FitResult } from "@atoll/train";
import { startWorkers } from "@atoll/train/node";
import { createParts } from "../experimentParts.ts";
import { Progress } from "../progress.ts";
import { createTrainer } from "../ranks/createTrainer.ts";
import { fitOptionsOf, type ResolvedConfig } from "../runConfig.ts";
import type { RunConfig } from "../runOptions.ts";
import type { Terminal } from "../terminal.ts";
import type { ValidationCase } from "./cases.ts";

/** Times of one way to run a case; seconds are means over the nodes but for the first. */
export interface CaseTimes extends NodeTime {
  /** Of the whole run. */
  readonly seconds: number;
}

export interface CaseOutcome {
  readonly label: string;
  readonly steps: number;
  readonly predicted: CaseTimes;
  readonly measured: CaseTimes;
  /** (predicted − measured) / measured, of the run's time. */
  readonly error: number;
  /** Steps whose time has been predicted and measured, apart from the first: mean of their absolute errors. */
  readonly stepError: number;
}

interface RunOfCase {
  readonly times: CaseTimes;
  /** When each step was done, in seconds. */
  readonly ends: readonly number[];
  readonly nodes: readonly NodeTime[];
}

export interface CaseContext {
  /** As the command line has it. */
  readonly named: string;
  readonly experiment: Experiment;
  readonly terminal: Terminal;
  /** Told of each run's start. */
  readonly onStarted: (event: RunStarted) => void;
}

export async function runCase({ label, config }: ValidationCase, context: CaseContext): Promise<CaseOutcome> {
  const measured = await run(config, context);
  const steps = measured.ends.length;
  // Each rank's own mean: a core may be slower than another.
  const durations = measured.nodes.map(({ compute }) => compute / steps);
  const compute = { kind: "measured", durations };
  const predicted = await run(changed(config, { mode: "simulated", compute: compute as never }), context);
  return {
    label,
    steps,
    predicted: predicted.times,
    measured: measured.times,
    error: (predicted.times.seconds - measured.times.seconds) / measured.times.seconds,
    stepError: stepErrorOf(predicted.ends, measured.ends),
  };
}

const changed = (config: ResolvedConfig, run: Partial<RunConfig>): ResolvedConfig => ({
  ...config,
  options: { ...config.options, ...(run as ResolvedConfig["options"]) },
  run: { ...config.run, ...run },
});

async function run(
  config: ResolvedConfig,
  { named, experiment, terminal, onStarted }: CaseContext,
): Promise<RunOfCase> {
  await using workers = startWorkers(config.run.workers ?? 1);
  const parts = await createParts(experiment, config, terminal, new Progress(terminal));
  const trainer = await createTrainer(
    { experiment: named, config, parts, workers, place: undefined },
    terminal,
  );
  const ends: number[] = [];
  const emit = (event: RunEvent): void => {
    if (event.type === "step") ends.push(event.time);
    else if (event.type === "runStarted") onStarted(event);
  };
  const result = await trainer.fit({ ...fitOptionsOf(config.run), signal: terminal.interrupted, emit });
  return { times: timesOf(result), ends, nodes: result.nodes };
}

function timesOf({ nodes, simulatedSeconds }: FitResult): CaseTimes {
  const mean = (kind: keyof NodeTime): number =>
    nodes.reduce((sum, node) => sum + node[kind], 0) / nodes.length;
  return {
    seconds: simulatedSeconds,
    compute: mean("compute"),
    communication: mean("communication"),
    waiting: mean("waiting"),
  };
}

/** Mean absolute error of the times that steps take, relative to their mean; the first step warms up. */
function stepErrorOf(predicted: readonly number[], measured: readonly number[]): number {
  const lasting = (ends: readonly number[]): readonly number[] =>
    ends.slice(1).map((end, i) => end - ends[i]!);
  const [ours, theirs] = [lasting(predicted), lasting(measured)];
  const total = theirs.reduce((sum, seconds) => sum + seconds, 0);
  return ours.reduce((sum, seconds, i) => sum + Math.abs(seconds - theirs[i]!), 0) / total;
}
