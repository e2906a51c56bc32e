// A simulated world with its clock and the events of its collectives.

import { type CollectiveDone, createRandom, type RunEvent } from "@atoll/core";
import { createVirtualClock, type NetworkOptions, resolveNetwork, type VirtualClock } from "@atoll/network";
import type { Communicator } from "../communicator.ts";
import { createSimulatedWorld } from "../simulated.ts";
import type { SimulatedWorld, SimulatedWorldOptions } from "../simulatedWorld.ts";

export interface Fixture {
  readonly clock: VirtualClock;
  readonly world: SimulatedWorld;
  readonly events: CollectiveDone[];
  readonly warnings: string[];
  run(body: (communicator: Communicator, rank: number) => Promise<void>): Promise<void>;
}

export function createFixture(
  worldSize: number,
  options: NetworkOptions = {},
  seed = 1,
  allReduce?: SimulatedWorldOptions["allReduce"],
): Fixture {
  const clock = createVirtualClock();
  const events: CollectiveDone[] = [];
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  const emit = (event: RunEvent): void => {
    if (event.type === "collective") events.push(event);
  };
  const network = resolveNetwork(options, { worldSize, random: createRandom(seed) });
  const world = createSimulatedWorld({ worldSize, network, clock, allReduce, emit, warn });
  const ranks = Array.from({ length: worldSize }, (_, rank) => rank);
  return {
    clock,
    world,
    events,
    warnings,
    run: (body) => clock.run(ranks.map((rank) => () => body(world.communicator(rank), rank))),
  };
}
