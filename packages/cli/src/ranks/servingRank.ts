// A rank of a run other than 0, as a command: it makes the same model and data, and serves rank 0 to the run's end.

import type { ExitCode } from "@atoll/core";
import type { Experiment } from "@atoll/train";
import { ProcessTrainer } from "@atoll/train/node/processes";
import { startWorkers } from "@atoll/train/node/workers";
import { createParts } from "../experimentParts.ts";
import { Progress } from "../progress.ts";
import { fitOptionsOf, type ResolvedConfig } from "../runConfig.ts";
import type { Terminal } from "../terminal.ts";
import { workersOf } from "./createTrainer.ts";
import type { RankPlace } from "./rankPlace.ts";
import { rendezvousOf } from "./rendezvous.ts";

/** @returns the run's exit code */
export async function runServingRank(
  experiment: Experiment,
  config: ResolvedConfig,
  place: RankPlace,
  terminal: Terminal,
): Promise<0 | ExitCode> {
  const warn = (message: string): void => terminal.error(`${message}\n`);
  await using workers = startWorkers(workersOf(config.run, place));
  const parts = await createParts(experiment, config, terminal, new Progress(terminal));
  const rendezvous = rendezvousOf(place, config.run, terminal);
  const trainer = new ProcessTrainer({ ...parts, workers, wallClock: terminal.now, rendezvous });
  const failure = await trainer.serve({
    ...fitOptionsOf(config.run),
    signal: terminal.interrupted,
    emit: (event) => {
      if (event.type === "warning") warn(`warning: ${event.message}`);
    },
  });
  if (failure === null) return 0;
  // A rank that rank 0 has started has nothing to add.
  if (terminal.parent === undefined) terminal.error(`atoll: ${failure.message}\n`);
  return failure.exitCode;
}
