// A bandwidth trace that is over before the run's communication is: said before the run instead of hours into it.
// Whether it lasts depends on all that decides the run's times, so the run is timed first, by the simulation itself with an
// executor that computes nothing. No time depends on what the vectors hold, so the answer is exact. What it costs is
// timing the network; all nodes share one node's memory.

import { ConfigError, type Random } from "@atoll/core";
import { resolveNetwork, TraceEndedError } from "@atoll/network";
import type { ExecutorOptions } from "./executor.ts";
import type { ResolvedFitOptions } from "./options.ts";
import type { PreparedRun } from "./prepare.ts";
import { createSimulation } from "./simulation.ts";
import { timingExecutor } from "./timingExecutor.ts";

export interface TracedRun {
  /** With the durations of measured steps. */
  readonly options: ResolvedFitOptions;
  readonly random: Random;
  readonly executorOptions: ExecutorOptions;
  /** Floating-point operations of one step of one node, as the real executor counts them. */
  flopsPerStep(): number;
  /** The run as it will begin; its samplers are used up. */
  prepare(): Promise<PreparedRun>;
}

/**
 * Returns at once if no link follows a trace that ends, or the run goes on from a checkpoint and was looked at before. Runs
 * that meet faults are not looked at: what they go back to is known only as they go.
 * @throws ConfigError if a transfer of the run still has bytes to move when its link's trace is over
 */
export async function refuseShortTrace(run: TracedRun): Promise<void> {
  const { options, random, executorOptions, prepare } = run;
  const { nodes: worldSize, resume, faults, signal } = options;
  if (worldSize === 1 || resume !== undefined || faults !== undefined) return;
  const network = resolveNetwork(options.network, { worldSize, random: random.derive("network") });
  if (!network.hasEndingTrace) return;
  const prepared = await prepare();
  await using timing = await timingExecutor({ flopsPerStep: run.flopsPerStep() })(executorOptions);
  const shared = timing.allocate();
  const simulation = createSimulation({
    options: { ...options, emit: () => {} },
    prepared,
    executor: { ...timing, allocate: () => shared },
    random,
  });
  try {
    await simulation.advance(prepared.maxSteps, signal);
  } catch (error) {
    if (!(error instanceof TraceEndedError)) throw error;
    const steps = prepared.maxSteps === 1 ? "1 step" : `${prepared.maxSteps} steps`;
    throw new ConfigError(
      `${error.message.replace(/\.$/, ", or take fewer steps.")} The run of ${steps} was timed before any training.`,
      error,
    );
  }
}
