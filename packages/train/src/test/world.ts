// Ranks of a simulated world without any training: to call a strategy directly, on vectors of the test's own.

import { createSimulatedWorld } from "@atoll/comm";
import { type CollectiveDone, createRandom } from "@atoll/core";
import { type Clock, createVirtualClock, resolveNetwork } from "@atoll/network";
import type { VectorLayout } from "@atoll/tensor";
import { runLocally } from "../localOperations.ts";
import type { LocalTask } from "../localTask.ts";
import type { StrategyNode } from "../strategies/index.ts";

export interface WorldOptions {
  /** Each rank's parameters; changed in place. */
  readonly vectors: readonly Float32Array[];
  /** Each rank's share of the data; default equal. */
  readonly shares?: readonly number[];
  /** Slots of each rank's optimizer, zeros. */
  readonly slots?: readonly string[];
  /** Where the tensors lie in the vectors. Default: one tensor of one axis. */
  readonly layout?: VectorLayout;
  readonly seed?: number;
}

/** Runs `body` on every rank, with the node that a strategy would be handed; returns the collectives that there were. */
export async function onRanks(
  { vectors, shares, slots = [], layout, seed = 0 }: WorldOptions,
  body: (node: StrategyNode & { step: number }, rank: number, clock: Clock) => Promise<void>,
): Promise<readonly CollectiveDone[]> {
  const worldSize = vectors.length;
  const random = createRandom(seed);
  const clock = createVirtualClock();
  const collectives: CollectiveDone[] = [];
  const world = createSimulatedWorld({
    worldSize,
    network: resolveNetwork({}, { worldSize, random: random.derive("network") }),
    clock,
    emit: (event) => {
      if (event.type === "collective") collectives.push(event);
    },
  });
  await clock.run(
    vectors.map((parameters, rank) => () => {
      const size = parameters.length;
      const node = {
        communicator: world.communicator(rank),
        layout: layout ?? { entries: [{ path: "x", shape: [size], offset: 0, size }], size, matrixSize: 0 },
        parameters,
        gradients: new Float32Array(size),
        slots: Object.fromEntries(slots.map((name) => [name, new Float32Array(size)])),
        step: 0,
        share: shares?.[rank] ?? 1 / worldSize,
        computed: () => Promise.resolve(),
        sharedRandom: random.derive("strategy"),
        local: {
          gradients: () => Promise.resolve(),
          run: async (task: LocalTask) => runLocally(task),
          later: async (task: LocalTask) => runLocally(task),
          until: <T>(work: Promise<T>) => work,
        },
      };
      return body(node, rank, clock.forRank(rank));
    }),
  );
  return collectives;
}
