import { createRandom, seconds } from "@atoll/core";
import type { NetworkOptions } from "@atoll/network";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { transcode } from "./codec.ts";
import { int8 } from "./codecs/int8.ts";
import type { Communicator } from "./communicator.ts";
import { evenChunks } from "./schedule.ts";
import { createFixture } from "./test/fixture.ts";

const exact: NetworkOptions = { bandwidth: 1e6, latency: 0.1, jitter: 0, loss: 0, tcp: "none" };

describe("codecs", () => {
  test("an all-reduce by a codec is the mean of what was decoded, encoded again by each shard's owner", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 5 }), fc.nat(30), fc.nat(), async (size, length, seed) => {
        const { run, events } = createFixture(size);
        const codec = int8({ blockSize: 4 });
        const inputs = Array.from({ length: size }, (_, rank) => {
          const random = createRandom(seed).derive(rank);
          return Float32Array.from({ length }, () => random.normal());
        });
        const starts = evenChunks(length, size);
        const expected = inputs.flatMap((_, shard) => {
          const decoded = inputs.map((input) =>
            transcode(codec, input.subarray(starts[shard], starts[shard + 1])),
          );
          const sum = decoded.reduce(
            (total, part) => total.map((value, i) => value + part[i]!),
            new Float32Array(decoded[0]!.length),
          );
          return [
            ...transcode(
              codec,
              sum.map((value) => value / size),
            ),
          ];
        });
        await run(async (communicator, rank) => {
          const x = inputs[rank]!.slice();
          await communicator.allReduce(x, { op: "mean", codec });
          expect([...x]).toEqual(expected);
        });
        const shardBytes = inputs.map((_, shard) => codec.bytes(starts[shard + 1]! - starts[shard]!));
        const total = shardBytes.reduce((sum, bytes) => sum + bytes, 0);
        expect(events[0]!.bytes.reduce((sum, bytes) => sum + bytes, 0)).toBe(2 * (size - 1) * total);
      }),
      { numRuns: 50 },
    );
  });
});

test("an algorithm that cannot serve the group is replaced, which the event and one warning say", async () => {
  const { run, events, warnings } = createFixture(3);
  await run(async (communicator) => {
    for (let i = 0; i < 3; i++) {
      const x = Float32Array.of(1);
      await communicator.allReduce(x, { algorithm: "recursive-doubling" });
      expect(x[0]).toBe(3);
    }
  });
  expect(events[0]!.algorithm).toBe("ring (recursive-doubling needs a power of two, not 3 members)");
  expect(warnings).toEqual([
    "All-reduce among 3 ranks goes by ring: recursive-doubling needs a power of two, not 3 members.",
  ]);
});

describe("handles", () => {
  /** 2(N−1)α + 2(N−1)/N · nβ = 0.2 + 1 seconds for two ranks. */
  const vector = (): Float32Array => new Float32Array(250_000).fill(1);

  test("what passes between start and wait is no communication; only the rest counts", async () => {
    const { run, clock, world } = createFixture(2, exact);
    await run(async (communicator, rank) => {
      const own = clock.forRank(rank);
      const x = vector();
      const handle = communicator.start.allReduce(x);
      await own.sleep(seconds(rank === 0 ? 0.5 : 5));
      expect(communicator.bytesSent).toBe(0);
      await handle.wait();
      expect(own.now()).toBeCloseTo(rank === 0 ? 1.2 : 5, 9);
      expect(x[0]).toBe(2);
      expect(communicator.bytesSent).toBe(1e6);
    });
    expect(world.times(0)).toEqual({ communication: expect.closeTo(0.7, 9), waiting: 0 });
    expect(world.times(1)).toEqual({ communication: 0, waiting: 0 });
  });

  test("a member that starts late makes the others wait, but only from their own wait on", async () => {
    const { run, clock, world, events } = createFixture(2, exact);
    await run(async (communicator, rank) => {
      const own = clock.forRank(rank);
      await own.sleep(seconds(3 * rank));
      const handle = communicator.start.allReduce(vector());
      if (rank === 0) await own.sleep(seconds(1));
      await handle.wait();
      expect(own.now()).toBeCloseTo(4.2, 9);
    });
    expect(world.times(0)).toEqual({ communication: expect.closeTo(1.2, 9), waiting: expect.closeTo(2, 9) });
    expect(events[0]).toMatchObject({ ready: [0, 3] });
  });

  test("a handle outlives a snapshot: the restored world waits for it to the same moment", async () => {
    const start = async (communicator: Communicator): Promise<number> =>
      communicator.start.allReduce(vector()).id;
    const first = createFixture(2, { profile: "wan" });
    let id = 0;
    await first.run(async (communicator) => {
      id = await start(communicator);
    });
    const saved = JSON.parse(JSON.stringify(first.world.snapshot()));
    const finish = async (communicator: Communicator): Promise<void> => {
      await communicator.started(id).wait();
      await communicator.barrier();
    };
    const second = createFixture(2, { profile: "wan" });
    second.world.restore(saved);
    await second.run(finish);
    await first.run(finish);
    expect(second.clock.now()).toBe(first.clock.now());
    expect(second.world.snapshot()).toEqual(first.world.snapshot());
    expect(second.world.communicator(0).bytesSent).toBe(1e6);
  });

  test("what cannot be saved or is waited for twice is refused", async () => {
    const { run, world } = createFixture(2);
    await run(async (communicator) => {
      communicator.start.allGather(vector());
    });
    expect(() => world.snapshot()).toThrow("Cannot save the state of rank 0: it has started allGather");
    const twice = createFixture(1);
    await expect(
      twice.run(async (communicator) => {
        const handle = communicator.start.barrier();
        await handle.wait();
        await handle.wait();
      }),
    ).rejects.toThrow("waits a second time");
    expect(() => world.communicator(1).started(9)).toThrow("asks for the handle 9, but has none");
  });
});

describe("messages", () => {
  test("take latency and bandwidth, are copied, and meet by source and tag in the order sent", async () => {
    const { run, clock, world, events } = createFixture(3, exact);
    await run(async (communicator, rank) => {
      if (rank === 0) {
        const x = new Float32Array(25_000).fill(1);
        await communicator.send(x, 2, 7);
        expect(clock.now()).toBeCloseTo(0.2, 9);
        x.fill(9);
        const handle = communicator.start.send(x, 2);
        await handle.wait();
        expect(communicator.bytesSent).toBe(200_000);
      } else if (rank === 2) {
        const late = await communicator.recv(0);
        expect([late.source, late.tag, late.vector[0]]).toEqual([0, 0, 9]);
        expect(clock.now()).toBeCloseTo(0.4, 9);
        const early = await communicator.recv(0, 7);
        expect([early.tag, early.vector[0]]).toEqual([7, 1]);
        expect(clock.now()).toBeCloseTo(0.4, 9);
      }
    });
    expect(world.times(2)).toEqual({
      communication: expect.closeTo(0.2, 9),
      waiting: expect.closeTo(0.2, 9),
    });
    expect(events[0]).toMatchObject({ operation: "send", ranks: [0, 2], bytes: [100_000, 0] });
  });

  test("of one rank leave one after another: many at once take the time of their bytes", async () => {
    const { run, clock } = createFixture(2, exact);
    await run(async (communicator, rank) => {
      if (rank === 0)
        for (let i = 0; i < 10; i++) communicator.start.send(new Float32Array(25_000).fill(i), 1);
      else
        for (let i = 0; i < 10; i++) {
          expect((await communicator.recv(0)).vector[0]).toBe(i);
          expect(clock.now()).toBeCloseTo(0.1 + 0.1 * (i + 1), 9);
        }
    });
  });

  test("from any: the one that arrives first, even if it is sent later by a rank that had been computing", async () => {
    const { run, clock } = createFixture(3, { ...exact, bandwidth: 1e6 });
    const order: number[] = [];
    await run(async (communicator, rank) => {
      if (rank === 0) await communicator.send(new Float32Array(250_000), 2);
      if (rank === 1) {
        await clock.forRank(1).work(seconds(0.5), new Promise((resolve) => setImmediate(resolve)));
        await communicator.send(new Float32Array(1), 2);
      }
      if (rank === 2) for (let i = 0; i < 2; i++) order.push((await communicator.recv("any")).source);
    });
    expect(order).toEqual([1, 0]);
  });

  test("a pair that sends before it receives does not deadlock; a receive that nobody serves is named", async () => {
    const { run } = createFixture(2);
    await run(async (communicator, rank) => {
      await communicator.send(Float32Array.of(rank), 1 - rank);
      expect((await communicator.recv(1 - rank)).vector[0]).toBe(1 - rank);
    });
    await expect(
      run(
        (communicator, rank) =>
          (rank === 0
            ? communicator.recv("any", 3).then()
            : communicator.send(Float32Array.of(1), 0)) as Promise<void>,
      ),
    ).rejects.toThrow("rank 0 waits for recv(from any rank, tag 3)");
  });

  test("in flight they are part of a snapshot, to the bit", async () => {
    const send = async (communicator: Communicator, rank: number): Promise<void> => {
      if (rank === 0)
        for (const value of [Number.NaN, 0.1]) communicator.start.send(Float32Array.of(value, -0), 1);
    };
    const log = (into: unknown[]) => async (communicator: Communicator, rank: number) => {
      if (rank === 0) return;
      for (let i = 0; i < 2; i++) into.push([...(await communicator.recv(0)).vector]);
      await communicator.send(Float32Array.of(1), 0);
    };
    const first = createFixture(2, { profile: "mobile" });
    await first.run(send);
    const second = createFixture(2, { profile: "mobile" });
    second.world.restore(JSON.parse(JSON.stringify(first.world.snapshot())));
    const received: [unknown[], unknown[]] = [[], []];
    await first.run(log(received[0]));
    await second.run(log(received[1]));
    expect(received[0]).toEqual([
      [Number.NaN, -0],
      [Math.fround(0.1), -0],
    ]);
    expect(received[1]).toEqual(received[0]);
    expect(second.clock.now()).toBe(first.clock.now());
    expect(second.world.snapshot()).toEqual(first.world.snapshot());
  });

  test("asynchronous gossip does not depend on which real work ends first", async () => {
    const gossip = async (turns: () => number): Promise<unknown> => {
      const { run, clock, world } = createFixture(4, { profile: "mobile" });
      const log: string[] = [];
      await run(async (communicator, rank) => {
        for (let step = 0; step < 5; step++) {
          await clock.forRank(rank).work(seconds(0.05 * ((rank * 3 + step * 5) % 7)), afterTurns(turns()));
          communicator.start.send(Float32Array.of(rank, step), (rank + 1 + (step % 3)) % 4);
        }
        for (let step = 0; step < 5; step++) {
          const { source, vector } = await communicator.recv("any");
          log.push(`${rank} from ${source}: ${vector} at ${clock.forRank(rank).now()}`);
        }
      });
      return [log.sort(), world.times(0), world.times(3)];
    };
    const expected = await gossip(() => 0);
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(6)), async (turns) => {
        expect(await gossip(() => turns.next().value!)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });
});

async function afterTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
