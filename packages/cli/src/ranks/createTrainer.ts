// What trains a run: simulated machines in this process, or the processes of processTrainers.ts.

import { LocalTrainer } from "@atoll/train/node";
import type { RunConfig } from "../runOptions.ts";
import type { Terminal } from "../terminal.ts";
import type { RankPlace } from "./rankPlace.ts";
import type { Trainer, TrainerContext } from "./trainer.ts";

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
