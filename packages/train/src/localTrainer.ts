// The main job: a run on N simulated machines in this process. Nodes are async functions on a virtual clock; their
// arithmetic is done by an executor, their messages by a simulated network.

import { ConfigError, createRandom, formatBytes } from "@atoll/core";
import { resolveNetwork } from "@atoll/network";
import { type FitResult, type FitSetup, fitNodes, setUpFit, type TrainerParts } from "./fit.ts";
import { flopsPerStep, inProcessExecutor } from "./inProcessExecutor.ts";
import { measureSteps } from "./measure.ts";
import { type FitOptions, resolveFitOptions } from "./options.ts";
import { checkSurroundings } from "./prepare.ts";
import { refuseShortTrace } from "./refuseShortTrace.ts";
import { replicaLayout } from "./replica.ts";
import { createSimulation } from "./simulation.ts";

export type { FitResult } from "./fit.ts";

export interface LocalTrainerOptions extends TrainerParts {
  /** Bytes of memory that this machine has: nodes that cannot lie in it are refused. Left out: none are. */
  readonly memoryBytes?: number;
}

const FLOAT_BYTES = 4;

/** Parameters, gradients and the optimizer's slots of all nodes lie in memory at once; what strategies keep comes to it. */
function refuseTooMuch(
  { prepared, options: { nodes, strategy } }: Pick<FitSetup, "prepared" | "options">,
  memoryBytes: number,
): void {
  const { layout, bufferLayout } = prepared;
  const each = FLOAT_BYTES * replicaLayout(layout, bufferLayout, strategy.optimizer.slots).length;
  if (nodes * each <= memoryBytes) return;
  const possible = Math.floor(memoryBytes / each);
  const remedy =
    possible === 0 ? "Use a smaller model" : `Use nodes=${possible} or fewer, or a smaller model`;
  throw new ConfigError(
    `Option "nodes": ${nodes} nodes of ${formatBytes(each)} each need ${formatBytes(nodes * each)} of memory, and this machine has ${formatBytes(memoryBytes)}. ${remedy}.`,
  );
}

function refuseReal({ compute }: FitOptions): void {
  if (compute?.kind !== "real") return;
  throw new ConfigError(
    'Option "compute": real is how long the steps of real processes take, and the nodes of this run are simulated. Use compute=device or compute=measured, or mode=processes.',
  );
}

/**
 * Looks at the options of a run on simulated machines alone, without a model or data.
 * @throws ConfigError if they cannot be, or not together
 */
export function checkFitOptions(given: FitOptions): void {
  refuseReal(given);
  const options = resolveFitOptions(given);
  checkSurroundings(options, createRandom(options.seed));
}

/**
 * The same with the model and the data, such as whether there are examples for every node, or whether the links' traces last
 * as long as the run, which is timed for it. How long steps take that are still to be measured is not known here.
 * @throws ConfigError if options, model and data do not fit together
 */
export async function checkFit(
  parts: Omit<TrainerParts, "executor" | "wallClock">,
  given: FitOptions,
): Promise<void> {
  refuseReal(given);
  const setup = await setUpFit({ ...parts, wallClock: () => 0 }, given);
  const { compute } = setup.options;
  if (compute.kind === "measured" && compute.durations === undefined) return;
  await refuseShortTrace({ ...setup, flopsPerStep: () => flopsPerStep(setup.executorOptions) });
}

/** Whether `checkFit` has to time a run, since links of its network follow traces that end. */
export function hasEndingTrace(given: FitOptions): boolean {
  const { network, nodes: worldSize, seed } = resolveFitOptions(given);
  return resolveNetwork(network, { worldSize, random: createRandom(seed).derive("network") }).hasEndingTrace;
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
    const { executor: createExecutor = inProcessExecutor(), wallClock, memoryBytes } = this.#parts;
    const startedAt = wallClock();
    refuseReal(given);
    const settled = await setUpFit(this.#parts, given);
    const { prepared, random, executorOptions, prepare } = settled;
    if (memoryBytes !== undefined) refuseTooMuch(settled, memoryBytes);
    await using executor = await createExecutor(executorOptions);
    const measured = settled.options.resume?.durations ?? undefined;
    const compute = await measureSteps(settled.options.compute, { executor, prepared, wallClock, measured });
    const options = { ...settled.options, compute };
    const flopsPerStep = (): number => executor.flopsPerStep;
    await refuseShortTrace({ options, random, executorOptions, prepare, flopsPerStep });
    const simulation = createSimulation({ options, prepared, executor, random });
    return await fitNodes({ ...settled, options }, simulation, startedAt);
  }
}
