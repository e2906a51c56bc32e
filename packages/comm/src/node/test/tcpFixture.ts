// Several TCP worlds in one process, over loopback: the ranks of a run without the processes.

import { createRandom, seconds } from "@atoll/core";
import { type NetworkOptions, resolveNetwork } from "@atoll/network";
import type { Communicator } from "../../communicator.ts";
import type { RealClock } from "../calls.ts";
import { joinTcpWorld, type TcpWorld, type TcpWorldOptions } from "../tcpWorld.ts";

export const realClock: RealClock = {
  now: () => seconds((performance.timeOrigin + performance.now()) / 1000),
};

export type Overrides = Partial<TcpWorldOptions> & {
  readonly options?: NetworkOptions;
  readonly seed?: number;
};

/** What a rank's world is made with, but for its place. */
export function worldOptions(
  rank: number,
  worldSize: number,
  port: number,
  { options = {}, seed = 1, ...overrides }: Overrides = {},
): TcpWorldOptions {
  return {
    rank,
    worldSize,
    master: { host: "127.0.0.1", port },
    runId: "test",
    token: "a token",
    network: resolveNetwork(options, { worldSize, random: createRandom(seed) }),
    clock: realClock,
    joinTimeoutMs: 20_000,
    ...overrides,
  };
}

/** All ranks' worlds, connected. */
export async function joinAll(worldSize: number, overrides: Overrides = {}): Promise<readonly TcpWorld[]> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const first = joinTcpWorld(worldOptions(0, worldSize, 0, { ...overrides, onListening: resolve }));
  first.catch(reject);
  const port = await promise;
  const others = Array.from({ length: worldSize - 1 }, (_, i) =>
    joinTcpWorld(worldOptions(i + 1, worldSize, port, overrides)),
  );
  return Promise.all([first, ...others]);
}

/** Runs one function a rank on worlds that are gone afterwards. */
export async function onTcp(
  worldSize: number,
  body: (communicator: Communicator, rank: number, world: TcpWorld) => Promise<void>,
  overrides: Overrides = {},
): Promise<void> {
  const worlds = await joinAll(worldSize, overrides);
  try {
    await Promise.all(worlds.map((world, rank) => body(world.communicator, rank, world)));
  } finally {
    await Promise.all(worlds.map((world) => world[Symbol.asyncDispose]()));
  }
}
