// What trains a run whose nodes are processes: processes of this machine that it starts, or the ranks that a launcher has
// started, of which this one is 0.

import { randomBytes, randomUUID } from "node:crypto";
import type { FitOptions, FitResult } from "@atoll/train";
import { ProcessTrainer, type Rendezvous } from "@atoll/train/node/processes";
import type { Terminal } from "../terminal.ts";
import { ChildRanks } from "./childRanks.ts";
import { conditionsOf, rendezvousOf } from "./rendezvous.ts";
import { refuseTooMany } from "./roomForProcesses.ts";
import type { Trainer, TrainerContext } from "./trainer.ts";

export function createProcessTrainer(context: TrainerContext, terminal: Terminal): Trainer {
  const { config, parts, workers, place } = context;
  if (place === undefined) return { fit: (options) => fitOnChildren(context, terminal, options) };
  const rendezvous = rendezvousOf(place, config.run, terminal);
  return new ProcessTrainer({ ...parts, workers, wallClock: terminal.now, rendezvous });
}

/** A rank that is started again loads its data and its model first. */
const RESTART_MS = 120_000;

async function fitOnChildren(
  { experiment, config, parts, workers }: TrainerContext,
  terminal: Terminal,
  options: FitOptions,
): Promise<FitResult> {
  const { nodes } = config.run;
  const order = {
    options: config.options,
    runId: randomUUID(),
    token: randomBytes(32).toString("hex"),
  };
  await using children = new ChildRanks({
    experiment,
    nodes,
    restarts: config.run.restarts,
    order,
    environment: terminal.environment,
    workingDirectory: terminal.workingDirectory,
    onLine: (rank, line) => terminal.error(`[${rank}] ${line}\n`),
  });
  const rendezvous: Rendezvous = {
    ...conditionsOf(config.run, true),
    rank: 0,
    master: { host: "127.0.0.1", port: 0 },
    runId: order.runId,
    token: order.token,
    abandoned: children.abandoned,
    returnMs: config.run.restarts > 0 ? RESTART_MS : 0,
    gone: (rank) => children.gone(rank),
    fate: (rank) => children.fate(rank),
    // This rank has its data and its model by now: the others will be about as large.
    onListening: (port) => {
      refuseTooMany(nodes, terminal.peakRssBytes(), terminal.availableMemoryBytes());
      children.start(port);
    },
  };
  return await new ProcessTrainer({ ...parts, workers, wallClock: terminal.now, rendezvous }).fit(options);
}
