// A run on ranks that talk over real sockets, each with its own trainer, executor and clock, as if they were processes of
// their own; they share this one, so that a test takes milliseconds. What only processes can do is tested in packages/cli.

import type { RunEvent } from "@atoll/core";
import { ProcessTrainer, type Rendezvous } from "../node/processes/processTrainer.ts";
import type { Workers } from "../node/workerThreads.ts";
import { clouds, memoryStore, perceptron, type Rehearsal, type RehearsalOptions } from "./runs.ts";

export interface ProcessRunOptions extends RehearsalOptions {
  /** Of each rank; executors use them one at a time. */
  readonly pools: readonly Workers[];
  readonly rendezvous?: Partial<Rendezvous>;
  /** Options in which a rank differs from the others. */
  readonly optionsOfRank?: (rank: number) => Partial<RehearsalOptions>;
}

/** Fits a perceptron to clouds, as `rehearse` does. */
export async function runProcesses({
  pools,
  rendezvous,
  optionsOfRank = () => ({}),
  model = perceptron(),
  train = clouds(240),
  validation,
  ...fit
}: ProcessRunOptions): Promise<Rehearsal> {
  const { nodes = 1, emit, checkpoints, resume, signal, ...shared } = fit;
  const events: RunEvent[] = [];
  const store = memoryStore();
  const listening = Promise.withResolvers<number>();
  const trainer = (rank: number, port: number): ProcessTrainer =>
    new ProcessTrainer({
      model,
      train,
      ...(validation === undefined ? {} : { validation }),
      workers: pools[rank]!,
      rendezvous: {
        rank,
        master: { host: "127.0.0.1", port },
        runId: "test",
        token: "test",
        onListening: (port) => {
          if (rank === 0) listening.resolve(port);
        },
        ...rendezvous,
      },
    });
  const leading = trainer(0, 0).fit({
    batchSize: 8,
    checkpoints: checkpoints ?? store,
    ...shared,
    nodes,
    ...(resume === undefined ? {} : { resume }),
    ...(signal === undefined ? {} : { signal }),
    emit(event) {
      events.push(event);
      emit?.(event);
    },
  });
  leading.catch((error) => listening.reject(error));
  const others = listening.promise.then((port) =>
    Promise.all(
      Array.from({ length: nodes - 1 }, (_, i) =>
        trainer(i + 1, port).serve({ batchSize: 8, ...shared, nodes, ...optionsOfRank(i + 1) }),
      ),
    ),
  );
  // Whatever happens to the run, no rank is left behind.
  const [led, served] = await Promise.allSettled([leading, others]);
  if (led.status === "rejected") throw led.reason;
  if (served.status === "rejected") throw served.reason;
  const result = led.value;
  return { result, events, snapshots: store.snapshots };
}
