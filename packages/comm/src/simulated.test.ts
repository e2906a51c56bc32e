import { createRandom, seconds } from "@atoll/core";
import { type NetworkOptions, TOPOLOGY_NAMES } from "@atoll/network";
import fc from "fast-check";
import { expect, test } from "vitest";
import { collectivesAndGroups, describeCommunicator } from "./test/conformance.ts";
import { createFixture, type Fixture } from "./test/fixture.ts";

const exact: NetworkOptions = { bandwidth: 1e6, latency: 0.1, jitter: 0, loss: 0 };

test.each(TOPOLOGY_NAMES.filter((name) => name !== "custom"))(
  "a rank that is in fewer collectives communicates less, on %s",
  async (topology) => {
    const { run, world } = createFixture(4, { profile: "wan", topology });
    await run((communicator, rank) => collectivesAndGroups(communicator, rank, topology));
    expect(world.times(0).communication).toBeLessThan(world.times(1).communication);
  },
);

test("times are split: waiting until the last member is ready, communication from then on", async () => {
  const { run, clock, world, events } = createFixture(2, exact);
  await run(async (communicator, rank) => {
    await clock.forRank(rank).sleep(seconds(rank));
    await communicator.allReduce(new Float32Array(250_000));
    // 2(N−1)α + 2(N−1)/N · nβ, after rank 1 was ready at 1 s.
    expect(clock.now()).toBeCloseTo(1 + 0.2 + 1, 9);
    expect(communicator.bytesSent).toBe(1e6);
  });
  expect(world.times(0).waiting).toBeCloseTo(1, 9);
  expect(world.times(1).waiting).toBe(0);
  expect(world.times(1).communication).toBeCloseTo(1.2, 9);
  expect(events).toMatchObject([
    { operation: "allReduce", algorithm: "ring", ranks: [0, 1], ready: [0, 1], bytes: [1e6, 1e6] },
  ]);
});

test("nobody leaves before the last member has come, not even a sender that has nothing to wait for", async () => {
  const { run, clock } = createFixture(3, exact);
  await run(async (communicator, rank) => {
    await clock.forRank(rank).sleep(seconds(rank === 2 ? 50 : 0));
    await communicator.broadcast(new Float32Array(10));
    expect(clock.now()).toBeGreaterThanOrEqual(50);
  });
});

test("a message that waits for others is not lost, however often links change meanwhile", async () => {
  // 11 MB each into a NIC of 0.1 MB/s: the second waits through 110,000 draws of the background traffic.
  const background = { load: 0.1, interval: 1e-3 };
  const { run, clock, world } = createFixture(3, { ...exact, nic: 1e5, background });
  await run(async (communicator, rank) => {
    world.beginExchange(rank, 1);
    if (rank > 0) return communicator.send(new Float32Array(2.75e6), 0);
    for (const end of [110.1, 220.1]) {
      await communicator.recv("any");
      expect(clock.now()).toBeCloseTo(end, 3);
    }
  });
});

test("a world of one takes no time and sends nothing", async () => {
  const { run, clock, events } = createFixture(1);
  await run(async (communicator) => {
    const x = Float32Array.of(3, 4);
    await communicator.allReduce(x, { op: "mean" });
    await communicator.broadcast(x);
    await communicator.barrier();
    expect((await communicator.allGather(x)).map((part) => [...part])).toEqual([[3, 4]]);
    expect([...x]).toEqual([3, 4]);
    expect(communicator.bytesSent).toBe(0);
  });
  expect(clock.now()).toBe(0);
  expect(events).toEqual([]);
});

test("a member that never comes is a deadlock that names the call and who is missing", async () => {
  const { run } = createFixture(3);
  await expect(
    run(async (communicator, rank) => {
      if (rank === 0) await communicator.allReduce(new Float32Array(9));
      if (rank === 1) await communicator.group([1, 2]).barrier();
    }),
  ).rejects.toThrow(
    "rank 0 waits for allReduce(sum of 9 floats) #1, for ranks 1, 2; rank 1 waits for barrier() #1, for rank 2. Already ended: rank 2.",
  );
});

/** A few steps of work and collectives, as a training run makes them; returns what can be seen of it. */
async function rehearse(fixture: Fixture, steps: number, turns: () => number): Promise<readonly string[]> {
  const log: string[] = [];
  await fixture.run(async (communicator, rank) => {
    const clock = fixture.clock.forRank(rank);
    for (let step = 0; step < steps; step++) {
      await clock.work(seconds(0.01 * ((rank * 7 + step * 3) % 5)), afterTurns(turns()));
      const x = Float32Array.from({ length: 37 }, (_, i) => Math.sin(i + rank));
      await communicator.allReduce(x, { op: "mean" });
      const island = rank < 2 ? [0, 1] : [2, 3, 4];
      await communicator.group(island).broadcast(x, 1);
      log.push(`${rank} ${clock.now()} ${communicator.bytesSent} ${x[3]}`);
    }
  });
  return log;
}

async function afterTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("times, values and their order do not depend on which real work ends first", async () => {
  const expected = await rehearse(createFixture(5, { profile: "mobile" }), 4, () => 0);
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(fc.nat(6)), async (turns) => {
      expect(await rehearse(createFixture(5, { profile: "mobile" }), 4, () => turns.next().value!)).toEqual(
        expected,
      );
    }),
    { numRuns: 20 },
  );
});

test("a restored world goes on with the same times and counters", async () => {
  const none = (): number => 0;
  const unbroken = createFixture(5, { profile: "poor", topology: "star" });
  await rehearse(unbroken, 2, none);
  const saved = JSON.parse(JSON.stringify(unbroken.world.snapshot()));
  const cut = unbroken.clock.now();
  const resumed = createFixture(5, { profile: "poor", topology: "star" });
  resumed.world.restore(saved);
  // Rank clocks are the trainer's to save; here all ranks begin where the last one was.
  await resumed.run((_, rank) => resumed.clock.forRank(rank).sleep(cut));
  expect(await rehearse(resumed, 2, none)).toEqual(await rehearse(unbroken, 2, none));
  expect(resumed.world.snapshot()).toEqual(unbroken.world.snapshot());
});

test("a snapshot of another world is refused", () => {
  const { world } = createFixture(3);
  expect(() => world.restore(createFixture(2).world.snapshot())).toThrow(/expected counters of 3 ranks/);
});

test("1,000 ranks: sums are right and bytes exact", async () => {
  const { run, world } = createFixture(1000, { profile: "wan" });
  const length = 1234;
  await run(async (communicator, rank) => {
    const x = new Float32Array(length).fill(rank);
    await communicator.allReduce(x);
    expect(x[0]).toBe(499_500);
    expect(x[length - 1]).toBe(499_500);
    await communicator.barrier();
  });
  const total = Array.from({ length: 1000 }, (_, rank) => world.communicator(rank).bytesSent);
  expect(total.reduce((sum, sent) => sum + sent, 0)).toBe(2 * 999 * 4 * length);
});

test("a communicator that was kept while many other groups came and went meets those made anew", async () => {
  const { run } = createFixture(5);
  await run(async (communicator, rank) => {
    const pair = [0, 1];
    const x = Float32Array.of(rank);
    const kept = pair.includes(rank) ? communicator.group(pair) : undefined;
    await kept?.allReduce(x);
    const random = createRandom(1);
    for (let round = 0; round < 200; round++) await communicator.group([...random.permutation(5)]).barrier();
    if (kept === undefined) return;
    await (rank === 0 ? kept : communicator.group(pair)).allReduce(x);
    expect([...x]).toEqual([2]);
  });
});

describeCommunicator("simulated", (worldSize, body, options) => createFixture(worldSize, options).run(body));
