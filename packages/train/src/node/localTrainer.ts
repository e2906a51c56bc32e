// The local trainer with Node's defaults: worker threads, one a core, and the real clock for wall-clock figures.

import {
  type FitResult,
  LocalTrainer as Trainer,
  type LocalTrainerOptions as TrainerOptions,
} from "../localTrainer.ts";
import type { FitOptions } from "../options.ts";
import { machineMemoryBytes } from "./machineMemory.ts";
import { startWorkers, type Workers, workerThreads } from "./workerThreads.ts";

export interface LocalTrainerOptions extends Pick<TrainerOptions, "model" | "train" | "validation"> {
  /** Threads to compute on, which stay the caller's to dispose of. Default: one a core for the time of each fit. */
  readonly workers?: Workers;
  /** Milliseconds since 1970. Default: the real clock. */
  readonly wallClock?: () => number;
  /** Bytes of memory: nodes that cannot lie in it are refused. Default: all that this machine has. */
  readonly memoryBytes?: number;
}

/**
 * Trains on simulated machines, computing on this machine's cores.
 *
 * @example
 * await new LocalTrainer({ model: mlp(), train, validation }).fit({
 *   strategy: fedAvg({ H: 20, optimizer: adamW({ learningRate: 1e-3 }) }),
 *   nodes: 3,
 *   maxSteps: 300,
 *   network: { profile: "wan", topology: "ring" },
 * });
 */
export class LocalTrainer {
  readonly #options: LocalTrainerOptions;

  constructor(options: LocalTrainerOptions) {
    this.#options = options;
  }

  /** As the portable trainer's `fit`, with the same errors. */
  async fit(options: FitOptions): Promise<FitResult> {
    const {
      workers: given,
      wallClock = () => performance.timeOrigin + performance.now(),
      // What is free now says little: systems keep files in what is not needed.
      memoryBytes = machineMemoryBytes(),
      ...parts
    } = this.#options;
    const workers = given ?? startWorkers();
    try {
      const executor = workerThreads(workers);
      return await new Trainer({ ...parts, executor, wallClock, memoryBytes }).fit(options);
    } finally {
      if (given === undefined) await workers[Symbol.asyncDispose]();
    }
  }
}
