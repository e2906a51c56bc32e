// Looking what has arrived, without waiting: against what the times of all messages say afterwards.

import { createRandom, type Seconds, seconds } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Communicator } from "./communicator.ts";
import { createFixture } from "./test/fixture.ts";

interface Look {
  readonly rank: number;
  readonly at: number;
  /** Of the messages found: who sent them, and which of its own it was. */
  readonly found: readonly (readonly [source: number, number: number])[];
}

interface Chatter {
  readonly worldSize: number;
  readonly seed: number;
  /** Simulated seconds at which all ranks stop, each at the end of the work that it is in, before they go on. */
  readonly cuts: readonly number[];
  /** Turns of the event loop that a piece of real work takes. */
  readonly turns: () => number;
}

const STEPS = 8;

/** Ranks of different speeds that look, work, and send to someone, each at its own time. */
async function chatter({ worldSize, seed, cuts, turns }: Chatter) {
  const { clock, world, events } = createFixture(worldSize, { profile: "mobile" }, seed);
  const looks: Look[] = [];
  const times: Seconds[] = new Array(worldSize).fill(seconds(0));
  const step = async (communicator: Communicator, rank: number, number: number): Promise<void> => {
    const random = createRandom(seed).derive("step", rank, number);
    const own = clock.forRank(rank);
    const at = own.now();
    const messages = await communicator.arrived(5);
    expect(own.now(), "it takes no time").toBe(at);
    looks.push({ rank, at, found: messages.map(({ source, vector }) => [source, vector[0]!]) });
    const target = (rank + 1 + random.integer(worldSize - 1)) % worldSize;
    communicator.start.send(Float32Array.of(number), target, 5);
    await own.work(seconds(0.6 * random.uniform() ** 2), afterTurns(turns()));
  };
  const done = new Array<number>(worldSize).fill(0);
  for (const until of [...cuts, Number.POSITIVE_INFINITY]) {
    const segment = Array.from({ length: worldSize }, (_, rank) => async () => {
      const { now } = clock.forRank(rank);
      while (done[rank]! < STEPS && now() < until) await step(world.communicator(rank), rank, done[rank]!++);
      times[rank] = now();
    });
    await clock.run(segment, { startAt: times.slice() });
    world.restore(JSON.parse(JSON.stringify(world.snapshot())));
  }
  looks.sort((a, b) => a.rank - b.rank || a.at - b.at);
  return { looks, events };
}

async function afterTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

const worlds = fc.record({ worldSize: fc.integer({ min: 2, max: 5 }), seed: fc.nat(1000) });

test("finds each message at the receiver's first look after its arrival, in order of arrival", async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const { looks, events } = await chatter({ ...world, cuts: [], turns: () => 0 });
      const sent = new Array<number>(world.worldSize).fill(0);
      const messages = events.map(({ ranks, end }) => {
        const [source, target] = ranks as [number, number];
        return { source, target, arrived: end[1]!, number: sent[source]!++ };
      });
      for (const [i, { rank, at, found }] of looks.entries()) {
        const before = i > 0 && looks[i - 1]!.rank === rank ? looks[i - 1]!.at : -1;
        const expected = messages
          .filter(({ target, arrived }) => target === rank && arrived > before && arrived <= at)
          .sort((a, b) => a.arrived - b.arrived || a.source - b.source);
        expect(found).toEqual(expected.map(({ source, number }) => [source, number]));
      }
    }),
    { numRuns: 40 },
  );
});

test("finds the same whichever real work ends first, and whether or not all stop in between and go on from a snapshot", async () => {
  await fc.assert(
    fc.asyncProperty(
      worlds,
      fc.array(fc.double({ min: 0.05, max: 1.5, noNaN: true }), { maxLength: 3 }),
      fc.infiniteStream(fc.nat(4)),
      async (world, cuts, turns) => {
        const { looks } = await chatter({ ...world, cuts: [], turns: () => 0 });
        const sorted = cuts.toSorted((a, b) => a - b);
        const again = await chatter({ ...world, cuts: sorted, turns: () => turns.next().value! });
        expect(again.looks).toEqual(looks);
      },
    ),
    { numRuns: 25 },
  );
});

test("is of one tag and one group, and takes nothing twice", async () => {
  const { run, clock } = createFixture(2);
  await run(async (communicator, rank) => {
    const group = communicator.group([1, 0]);
    if (rank === 0) {
      communicator.start.send(Float32Array.of(1), 1, 1);
      communicator.start.send(Float32Array.of(2), 1);
      group.start.send(Float32Array.of(3), 0, 1);
      return;
    }
    expect(await communicator.arrived(1), "nothing yet").toEqual([]);
    await clock.forRank(1).sleep(seconds(10));
    const values = async (from: Communicator, tag?: number): Promise<readonly number[][]> =>
      (await from.arrived(tag)).map(({ source, vector }) => [source, vector[0]!]);
    expect(await values(communicator, 1)).toEqual([[0, 1]]);
    expect(await values(communicator, 1)).toEqual([]);
    expect(await values(group, 1)).toEqual([[1, 3]]);
    expect(await values(communicator)).toEqual([[0, 2]]);
    await expect(communicator.arrived(0.5)).rejects.toThrow("arrived: expected a tag that is a whole number");
  });
});

test("a vector that is given is the receiver's own; another is copied", async () => {
  const { run } = createFixture(2);
  const vectors = [Float32Array.of(1), Float32Array.of(2)];
  await run(async (communicator, rank) => {
    if (rank === 0) {
      communicator.start.send(vectors[0]!, 1, 0, { given: true });
      await communicator.send(vectors[1]!, 1);
      expect(communicator.bytesSent).toBe(8);
      return;
    }
    expect((await communicator.recv(0)).vector).toBe(vectors[0]);
    const { vector } = await communicator.recv(0);
    expect(vector).toEqual(vectors[1]);
    expect(vector).not.toBe(vectors[1]);
  });
});

test("messages of a pair arrive in the order sent, whether they are waited for early or late", async () => {
  const arrivals = async (seed: number, isEarly: boolean): Promise<readonly number[]> => {
    const { run, events, clock } = createFixture(2, { profile: "mobile", topology: "ring" }, seed);
    await run(async (communicator, rank) => {
      if (rank === 0) {
        for (let i = 0; i < 6; i++) communicator.start.send(Float32Array.of(i), 1);
        return;
      }
      if (!isEarly) await clock.forRank(rank).sleep(seconds(9));
      for (let i = 0; i < 6; i++) expect((await communicator.recv(0)).vector[0]).toBe(i);
    });
    return events.map(({ end }) => end[1]!);
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(1000), async (seed) => {
      const early = await arrivals(seed, true);
      expect(early).toEqual(early.toSorted((a, b) => a - b));
      expect(await arrivals(seed, false)).toEqual(early);
    }),
    { numRuns: 40 },
  );
});
