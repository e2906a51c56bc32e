import { readFile } from "node:fs/promises";
import { type Seconds, seconds } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Clock, createVirtualClock, type VirtualClock } from "./clock.ts";

type RankFunction = (clock: Clock, virtual: VirtualClock) => Promise<void>;

const run = (
  virtual: VirtualClock,
  ranks: readonly RankFunction[],
  startAt?: readonly Seconds[],
): Promise<void> =>
  virtual.run(
    ranks.map((body, rank) => () => body(virtual.forRank(rank), virtual)),
    startAt === undefined ? {} : { startAt },
  );

/** A promise that is settled from outside: real work whose end the test decides. */
const realWork = <T>(): PromiseWithResolvers<T> => Promise.withResolvers<T>();

test("ranks go on in the order of time, rank and sequence", async () => {
  const log: string[] = [];
  const note = (rank: number, clock: Clock): number => log.push(`${rank}@${clock.now()}`);
  const body =
    (rank: number, sleeps: readonly number[]): RankFunction =>
    async (clock) => {
      for (const duration of sleeps) {
        await clock.sleep(seconds(duration));
        note(rank, clock);
      }
    };
  await run(createVirtualClock(), [body(0, [3, 1]), body(1, [1, 2, 1]), body(2, [1, 0])]);
  expect(log).toEqual(["1@1", "2@1", "2@1", "0@3", "1@3", "0@4", "1@4"]);
});

test("the order does not depend on which real work ends first", async () => {
  const durations = fc.array(fc.array(fc.nat(3), { maxLength: 4 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(durations, fc.infiniteStream(fc.nat(8)), async (plan, delays) => {
      const order = async (turns: () => number): Promise<readonly string[]> => {
        const log: string[] = [];
        const virtual = createVirtualClock();
        await run(
          virtual,
          plan.map((sleeps, rank) => async (clock) => {
            for (const duration of sleeps) {
              const real = afterTurns(turns());
              await (duration === 3
                ? clock.work(() => seconds(2), real)
                : clock.work(seconds(duration), real));
              log.push(`${rank}@${clock.now()}`);
            }
          }),
        );
        return log;
      };
      expect(await order(() => delays.next().value!)).toEqual(await order(() => 0));
    }),
    { numRuns: 60 },
  );
});

async function afterTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("real work of all ranks is under way before the clock waits for any of it", async () => {
  const virtual = createVirtualClock();
  const works = [realWork<string>(), realWork<string>(), realWork<string>()];
  let started = 0;
  const results: string[] = [];
  await run(
    virtual,
    works.map(({ promise }, rank) => async (clock) => {
      if (++started === works.length) for (const late of [2, 1, 0]) works[late]!.resolve(`work ${late}`);
      results.push(await clock.work(seconds(rank === 1 ? 0 : 1), promise));
    }),
  );
  expect(results).toEqual(["work 1", "work 0", "work 2"]);
  expect(virtual.now()).toBe(1);
});

test("ranks whose waits end one after another work in parallel, also after work of no duration", async () => {
  const virtual = createVirtualClock();
  const waits: ((time: Seconds) => void)[] = [];
  const works = [realWork<void>(), realWork<void>(), realWork<void>()];
  let started = 0;
  const ends: number[] = [];
  await run(
    virtual,
    works.map(({ promise }, rank) => async (clock) => {
      const wait = virtual.wait<void>(rank, () => "the others");
      waits[rank] = (time) => wait.resolveAt(time, undefined);
      if (waits.length === works.length)
        waits.forEach((resolve, i) => {
          resolve(seconds(10 * i));
        });
      await wait.promise;
      await clock.work(seconds(0), afterTurns(3 - rank));
      if (++started === works.length) for (const { resolve } of works) resolve();
      await clock.work(seconds(1), promise);
      ends[rank] = clock.now();
    }),
  );
  expect(ends).toEqual([1, 11, 21]);
});

test("ranks whose works of no duration end together begin the next ones together", async () => {
  const shared = realWork<void>();
  const next = realWork<void>();
  let started = 0;
  await run(
    createVirtualClock(),
    Array.from(
      { length: 3 },
      (): RankFunction => async (clock) => {
        await clock.work(seconds(0), shared.promise);
        if (++started === 3) next.resolve();
        await clock.work(seconds(0), next.promise);
      },
    ).concat(async () => shared.resolve()),
  );
  expect(started).toBe(3);
});

test("a duration that the work's own result gives holds from when the work began", async () => {
  const log: string[] = [];
  await run(createVirtualClock(), [
    async (clock) => {
      await clock.sleep(seconds(1));
      await clock.work(
        (taken: number) => seconds(taken),
        afterTurns(5).then(() => 2.5),
      );
      log.push(`0@${clock.now()}`);
    },
    async (clock) => {
      await clock.sleep(seconds(3));
      log.push(`1@${clock.now()}`);
    },
  ]);
  expect(log).toEqual(["1@3", "0@3.5"]);
});

test("a rank's wait ends at the virtual time that another rank says", async () => {
  const virtual = createVirtualClock();
  const wait: { resolve?: (time: Seconds) => void } = {};
  let woken: readonly [number, string] | undefined;
  await run(virtual, [
    async (clock) => {
      const { promise, resolveAt } = virtual.wait<string>(0, () => "a message from rank 1");
      wait.resolve = (time) => resolveAt(time, "hello");
      const value = await promise;
      woken = [clock.now(), value];
    },
    async (clock) => {
      await clock.sleep(seconds(2));
      wait.resolve?.(seconds(7));
    },
  ]);
  expect(woken).toEqual([7, "hello"]);
});

test("a mutual wait is a deadlock that names each rank, what it waits for, and who has ended", async () => {
  const virtual = createVirtualClock();
  const waiting =
    (rank: number, what: string): RankFunction =>
    () =>
      virtual.wait<void>(rank, () => what).promise;
  const ranks = [
    waiting(0, "a message from rank 1"),
    waiting(1, "a message from rank 0"),
    async () => undefined,
  ];
  await expect(run(virtual, ranks)).rejects.toThrow(
    "Deadlock at 0 s: rank 0 waits for a message from rank 1; rank 1 waits for a message from rank 0. Already ended: rank 2.",
  );
});

test("a real await outside work is noticed and the remedy named", async () => {
  const ranks: RankFunction[] = [
    (clock) => clock.sleep(seconds(1)),
    async () => {
      await readFile(new URL(import.meta.url));
    },
  ];
  await expect(run(createVirtualClock(), ranks)).rejects.toThrow(
    /Rank 1 awaits .* clock\.work\(duration, promise\)/,
  );
});

test("a rank that throws ends the run, after the others have unwound and real work is done", async () => {
  const virtual = createVirtualClock();
  const log: string[] = [];
  const slow = afterTurns(20).then(() => log.push("work done"));
  await expect(
    run(virtual, [
      async (clock) => {
        await clock.sleep(seconds(1));
        throw new Error("rank 0 broke");
      },
      async (clock) => {
        await clock.work(seconds(5), slow);
      },
      async (clock) => {
        try {
          await clock.sleep(seconds(9));
        } finally {
          log.push("unwound");
          await clock.sleep(seconds(1));
        }
      },
    ]),
  ).rejects.toThrow("rank 0 broke");
  expect(log).toEqual(["unwound", "work done"]);
});

test("the error of real work is its rank's error", async () => {
  const ranks: RankFunction[] = [
    (clock) => clock.work(seconds(1), Promise.reject(new Error("out of memory"))),
  ];
  await expect(run(createVirtualClock(), ranks)).rejects.toThrow("out of memory");
});

test("an abort ends the run with the signal's reason, even while real work hangs on", async () => {
  const virtual = createVirtualClock();
  const abort = new AbortController();
  const work = realWork<void>();
  const done = virtual.run(
    [
      () => virtual.forRank(0).work(seconds(1), work.promise),
      async () => {
        await virtual.forRank(1).sleep(seconds(0.5));
        setImmediate(() => abort.abort(new Error("stopped")));
      },
    ],
    { signal: abort.signal },
  );
  abort.signal.addEventListener("abort", () => setImmediate(() => work.resolve()));
  await expect(done).rejects.toThrow("stopped");
});

test("a clock runs again, each rank from its own time", async () => {
  const virtual = createVirtualClock();
  const ends: number[] = [];
  const ranks: RankFunction[] = [0, 1].map((rank) => async (clock) => {
    await clock.sleep(seconds(1));
    ends[rank] = clock.now();
  });
  await run(virtual, ranks, [seconds(5), seconds(2)]);
  expect(ends).toEqual([6, 3]);
  await run(virtual, ranks, [seconds(6), seconds(3)]);
  expect(ends).toEqual([7, 4]);
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("a duration of %s is refused", async (duration) => {
  const ranks: RankFunction[] = [(clock) => clock.sleep(seconds(duration))];
  await expect(run(createVirtualClock(), ranks)).rejects.toThrow(/sleep of rank 0: expected seconds ≥ 0/);
});
