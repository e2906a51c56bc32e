// A world over sockets against the simulated one: the same calls, at random, give the same bits and count the same bytes.

import type { NetworkOptions } from "@atoll/network";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createFixture } from "../test/fixture.ts";
import { joinTcpWorld } from "./tcpWorld.ts";
import { startRank } from "./test/rankProcess.ts";
import { onTcp, worldOptions } from "./test/tcpFixture.ts";
import { live, type Turn, turn } from "./test/turns.ts";

/** A number of ranks, and a network of theirs. */
const worlds = fc
  .integer({ min: 1, max: 6 })
  .chain((worldSize) =>
    fc.tuple(
      fc.constant(worldSize),
      fc.constantFrom<NetworkOptions>(
        { topology: "ring", profile: "datacenter" },
        { topology: "star", profile: "datacenter" },
        { topology: "fully_connected", profile: "local" },
        { topology: "islands", islandSize: Math.min(2, worldSize), profile: "local" },
      ),
    ),
  );

/** What each rank of the simulated world ends with. */
async function simulated(
  worldSize: number,
  turns: readonly Turn[],
  options: NetworkOptions,
  seed: number,
): Promise<readonly unknown[]> {
  const ends: unknown[] = [];
  await createFixture(worldSize, options).run(async (communicator, rank) => {
    ends[rank] = await live(communicator, turns, seed);
  });
  return ends;
}

test("a world over sockets gives the simulated world's bits and bytes for all it is asked", async () => {
  await fc.assert(
    fc.asyncProperty(
      worlds,
      fc.array(turn, { minLength: 1, maxLength: 12 }),
      fc.constantFrom("none" as const, "userSpace" as const, "delays" as const),
      fc.nat(1000),
      async ([worldSize, options], turns, shaping, seed) => {
        const expected = await simulated(worldSize, turns, options, seed);
        const check = async (communicator: Parameters<typeof live>[0], rank: number): Promise<void> =>
          expect(await live(communicator, turns, seed)).toEqual(expected[rank]);
        await onTcp(worldSize, check, { options, shaping });
      },
    ),
    { numRuns: 10 },
  );
});

test("so do ranks that are processes", async () => {
  const [turns] = fc.sample(fc.array(turn, { minLength: 12, maxLength: 12 }), { numRuns: 1, seed: 5 });
  const expected = await simulated(3, turns!, {}, 1);
  const port = Promise.withResolvers<number>();
  const first = joinTcpWorld(worldOptions(0, 3, 0, { onListening: port.resolve }));
  const others = [1, 2].map(async (rank) => startRank({ rank, worldSize: 3, port: await port.promise }));
  const world = await first;
  const children = await Promise.all(others);
  const ends = children.map((child) => child.ask({ kind: "live", turns: turns!, seed: 1 }));
  expect(await live(world.communicator, turns!, 1)).toEqual(expected[0]);
  expect(await Promise.all(ends)).toEqual(expected.slice(1));
  await Promise.all(children.map((child) => child.end()));
  await world[Symbol.asyncDispose]();
});
