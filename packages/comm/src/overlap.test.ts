// Collectives of one rank that are under way together: they run one after another, whatever groups they are of.

import { seconds } from "@atoll/core";
import type { NetworkOptions } from "@atoll/network";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createFixture, type Fixture } from "./test/fixture.ts";

const exact: NetworkOptions = { bandwidth: 1e6, latency: 0.1, jitter: 0, loss: 0 };
/** 2(N−1)α + 2(N−1)/N · nβ = 0.2 + 1 seconds for two ranks. */
const vector = (): Float32Array => new Float32Array(250_000);

/** All ranks start an all-reduce of each length at once, and then wait for them. */
async function together(
  lengths: readonly number[],
  options: NetworkOptions,
  worldSize: number,
): Promise<Fixture> {
  const fixture = createFixture(worldSize, options);
  await fixture.run(async (communicator) => {
    const handles = lengths.map((length) => communicator.start.allReduce(new Float32Array(length)));
    for (const handle of handles) await handle.wait();
  });
  return fixture;
}

test("started together they take the time of one after another, and only one's bandwidth", async () => {
  const { run, clock, world, events } = createFixture(2, exact);
  await run(async (communicator, rank) => {
    const handles = [1, 2, 3].map(() => communicator.start.allReduce(vector()));
    const ends: number[] = [];
    for (const handle of handles) {
      await handle.wait();
      ends.push(clock.forRank(rank).now());
    }
    expect(ends).toEqual([1.2, 2.4, 3.6].map((end) => expect.closeTo(end, 9)));
  });
  expect(world.times(0)).toEqual({ communication: expect.closeTo(3.6, 9), waiting: 0 });
  expect(events.map(({ ready }) => ready)).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
});

test("the same calls take the same time to the bit, whether they wait for each other or are queued", async () => {
  const length = fc.integer({ min: 1, max: 5000 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(length, { minLength: 1, maxLength: 5 }),
      fc.constantFrom<NetworkOptions>({ profile: "mobile" }, { profile: "wan", topology: "ring" }),
      fc.integer({ min: 2, max: 5 }),
      async (lengths, options, worldSize) => {
        const queued = await together(lengths, options, worldSize);
        const waiting = createFixture(worldSize, options);
        await waiting.run(async (communicator) => {
          for (const length of lengths) await communicator.allReduce(new Float32Array(length));
        });
        expect(queued.events.map(({ end }) => end)).toEqual(waiting.events.map(({ end }) => end));
      },
    ),
  );
});

test("no two collectives of a rank overlap, and what is alone is not held up", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 2, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.integer({ min: 2, max: 5 }), async (lengths, worldSize) => {
      const { events } = await together(lengths, exact, worldSize);
      for (let i = 1; i < events.length; i++) {
        const alone = (await together([lengths[i]!], exact, worldSize)).events[0]!.end;
        for (let member = 0; member < worldSize; member++)
          // From when the first could begin it, to when this member leaves it: no shorter than on an idle line.
          expect(events[i]!.end[member]! - Math.min(...events[i - 1]!.end)).toBeGreaterThanOrEqual(
            alone[member]! - 1e-9,
          );
      }
    }),
  );
});

test("of two groups with a common rank the later one waits for it; others are not slowed", async () => {
  const { run, clock } = createFixture(5, exact);
  const ends: number[] = [];
  await run(async (communicator, rank) => {
    const own = clock.forRank(rank);
    const groups = [
      [0, 1],
      [1, 2],
      [3, 4],
    ].filter((ranks) => ranks.includes(rank));
    const handles = groups.map((ranks) => communicator.group(ranks).start.allReduce(vector()));
    for (const handle of handles) await handle.wait();
    ends[rank] = own.now();
  });
  expect(ends).toEqual([1.2, 2.4, 2.4, 1.2, 1.2].map((end) => expect.closeTo(end, 9)));
});

test("one that is still gathering its members holds nobody up", async () => {
  const { run, clock } = createFixture(3, exact);
  await run(async (communicator, rank) => {
    const own = clock.forRank(rank);
    if (rank === 2) await own.sleep(seconds(10));
    const all = communicator.start.allReduce(vector());
    if (rank < 2) {
      await communicator.group([0, 1]).allReduce(vector());
      expect(own.now()).toBeCloseTo(1.2, 9);
    }
    await all.wait();
    expect(own.now()).toBeGreaterThan(10);
  });
});

test("a restored world remembers how long a rank's line is busy", async () => {
  const begun = createFixture(2, exact);
  await begun.run(async (communicator) => void communicator.start.allReduce(vector()));
  const saved = JSON.parse(JSON.stringify(begun.world.snapshot()));
  const resumed = createFixture(2, exact);
  resumed.world.restore(saved);
  const goOn = ({ run }: Fixture): Promise<void> => run((communicator) => communicator.allReduce(vector()));
  await goOn(begun);
  await goOn(resumed);
  expect(resumed.clock.now()).toBe(begun.clock.now());
  expect(resumed.clock.now()).toBeCloseTo(2.4, 9);
});
