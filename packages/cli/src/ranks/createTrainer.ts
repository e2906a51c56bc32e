// What trains a run: simulated machines in this process, or the processes of processTrainers.ts.

import type { ExperimentParts, FitOptions, FitResult } from "@atoll/train";
import { LocalTrainer, type Workers } from "@atoll/train/node";
import type { ResolvedConfig } from "../runConfig.ts";
import type { RunConfig } from "../runOptions.ts";
import type { Terminal } from "../terminal.ts";
import type { RankPlace } from "./rankPlace.ts";

export interface TrainerContext {
  /** As the command line has it. */
  readonly experiment: string;
  readonly config: ResolvedConfig;
  readonly parts: ExperimentParts;
  readonly workers: Workers;
  readonly place: RankPlace | undefined;
}

export interface Trainer {
  fit(options: FitOptions): Promise<FitResult>;
}

/** Threads of this process: one a core, but one alone where other nodes of the run compute on the same machine. */
export function workersOf({ workers, mode }: RunConfig, place: RankPlace | undefined): number | undefined {
  if (workers !== undefined || mode === "simulated") return workers;
  return place === undefined || place.sharesMachine ? 1 : undefined;
}

/** What runs on processes need is loaded for them alone. */
export async function createTrainer(context: TrainerContext, terminal: Terminal): Promise<Trainer> {
  const { config, parts, workers } = context;
  if (config.run.mode === "simulated")
    return new LocalTrainer({ ...parts, workers, wallClock: terminal.now });
  const { createProcessTrainer } = await import("./processTrainers.ts");
  return createProcessTrainer(context, terminal);
}
