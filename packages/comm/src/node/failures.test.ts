// Ranks that are lost, by what they do to the others: real processes that are killed or stopped.

import { once } from "node:events";
import { RunError } from "@atoll/core";
import { expect, test } from "vitest";
import { PeerLostError } from "../disruptions.ts";
import { joinTcpWorld, type Loss, type TcpWorld } from "./tcpWorld.ts";
import { type RankProcess, startRank } from "./test/rankProcess.ts";
import { joinAll, onTcp, worldOptions } from "./test/tcpFixture.ts";

const TIMES = { heartbeatMs: 100, timeoutMs: 2000 };

interface Run {
  /** Ranks 0 and 1. */
  readonly worlds: readonly [TcpWorld, TcpWorld];
  /** Rank 2. */
  readonly process: RankProcess;
  /** Ends the joining of ranks 0 and 1. */
  readonly giveUp: AbortController;
  restart(): Promise<RankProcess>;
}

/** Three ranks, the last of which is a process of its own. */
async function withProcess(body: (run: Run) => Promise<void>, times = TIMES): Promise<void> {
  const port = Promise.withResolvers<number>();
  const giveUp = new AbortController();
  const options = { ...times, signal: giveUp.signal };
  const first = joinTcpWorld(worldOptions(0, 3, 0, { ...options, onListening: port.resolve }));
  const place = { rank: 2, worldSize: 3, port: await port.promise, ...times };
  const second = joinTcpWorld(worldOptions(1, 3, place.port, options));
  const process = await startRank(place);
  const worlds = [await first, await second] as const;
  try {
    await body({ worlds, process, giveUp, restart: () => startRank(place) });
  } finally {
    process.process.kill("SIGKILL");
    await Promise.all(worlds.map((world) => world[Symbol.asyncDispose]()));
  }
}

const nextLoss = (world: TcpWorld): Promise<Loss> =>
  new Promise((resolve) => {
    const stop = world.onLost((loss) => {
      stop();
      resolve(loss);
    });
  });

/** What calls reject with; undefined for one that does not. */
const reasons = async (calls: readonly Promise<unknown>[]): Promise<readonly unknown[]> =>
  (await Promise.allSettled(calls)).map((end) => (end.status === "rejected" ? end.reason : undefined));

async function kill({ process }: RankProcess): Promise<void> {
  const exit = once(process, "exit");
  process.kill("SIGKILL");
  await exit;
}

test("a killed rank: all calls with it break off, the others go on without it, and it can come back", async () => {
  await withProcess(async ({ worlds, process, giveUp, restart }) => {
    const [zero, one] = worlds;
    // All have joined: that has no say any more.
    giveUp.abort();
    const calls = worlds.flatMap(({ communicator }): Promise<unknown>[] => [
      communicator.allReduce(new Float32Array(10)),
      communicator.recv(2),
      communicator.start.barrier().wait(),
    ]);
    const ended = reasons(calls);
    const losses = Promise.all(worlds.map(nextLoss));
    await kill(process);
    for (const reason of await ended) expect(reason).toBeInstanceOf(PeerLostError);
    expect((await losses).map(({ rank }) => rank)).toEqual([2, 2]);
    await expect(zero.communicator.barrier()).rejects.toThrow(
      /barrier\(\) broke off at .* s: lost rank 2 \(it/,
    );
    await expect(zero.communicator.send(new Float32Array(1), 2)).rejects.toThrow("lost rank 2");
    for (const world of worlds) world.advance(1);
    await Promise.all(
      worlds.map(async ({ communicator }) => {
        const x = Float32Array.of(1);
        await communicator.group([0, 1]).allReduce(x);
        expect([...x]).toEqual([2]);
      }),
    );
    const returned = worlds.map((world) => new Promise((resolve) => world.onReturned(resolve)));
    const again = await restart();
    expect(await Promise.all(returned)).toEqual([2, 2]);
    expect(zero.losses()).toEqual([]);
    const all = worlds.map(({ communicator }) => communicator.allReduce(new Float32Array(10)));
    expect(await again.ask({ kind: "sum", length: 10 }), "it has come in the others' epoch").toBe(1);
    await Promise.all(all);
    for (const world of worlds) world.advance(2);
    const sum = again.ask({ kind: "sum", length: 100_000, epoch: 2 });
    const x = new Float32Array(100_000).fill(1);
    const y = x.slice();
    await Promise.all([zero.communicator.allReduce(x), one.communicator.allReduce(y)]);
    expect([x[99_999], y[0], await sum]).toEqual([3, 3, 3]);
    await again.end();
  });
});

test("overlapping sums that a killed rank was in are begun again by those that are left, with what they had brought", async () => {
  await withProcess(async ({ worlds, process }) => {
    for (const world of worlds) world.keepOverlapping();
    const ended = worlds.map((_, rank) => new Float32Array(1000).fill(rank + 1));
    const broken = worlds.map((_, rank) => new Float32Array(5_000_000).fill(10 * (rank + 1)));
    const begun = (vectors: readonly Float32Array[]): readonly number[] =>
      worlds.map(({ communicator }, rank) => communicator.start.allReduce(vectors[rank]!).id);
    const first = begun(ended);
    await process.ask({ kind: "sum", length: 1000 });
    expect(await Promise.all(worlds.map((world) => world.haveEndedWell()))).toEqual([true, true]);
    const second = begun(broken);
    const losses = Promise.all(worlds.map(nextLoss));
    await kill(process);
    await losses;
    // One has waited for it, the other has not.
    await expect(worlds[0].communicator.started(second[0]!).wait()).rejects.toThrow(PeerLostError);
    expect(await worlds[1].haveEndedWell()).toBe(false);
    for (const vector of [...ended, ...broken]) vector.fill(-1);
    for (const world of worlds) world.advance(1);
    await Promise.all(worlds.map((world) => world.beginAgain([0, 1])));
    const sent = worlds[0].communicator.bytesSent;
    await Promise.all(
      worlds.map(async ({ communicator }, rank) => {
        for (const ids of [second, first]) await communicator.started(ids[rank]!).wait();
      }),
    );
    for (const vector of ended) expect(vector.every((value) => value === 3)).toBe(true);
    for (const vector of broken) expect(vector.every((value) => value === 30)).toBe(true);
    expect(worlds[0].communicator.bytesSent - sent).toBe(4 * 5_001_000);
    // What has been waited for is not begun once more.
    for (const world of worlds) world.forgetOverlapping("waited");
    for (const world of worlds) world.advance(2);
    await Promise.all(worlds.map((world) => world.beginAgain([0, 1])));
    expect(() => worlds[0].communicator.started(first[0]!)).toThrow(/none of that number open/);
    // Alone, too, and with the same number.
    const x = Float32Array.of(3);
    const { id } = worlds[0].communicator.start.allReduce(x);
    worlds[0].advance(3);
    await worlds[0].beginAgain([0]);
    await worlds[0].communicator.started(id).wait();
    expect([...x]).toEqual([3]);
  });
});

test("a rank that hangs is lost after the timeout", async () => {
  await withProcess(
    async ({ worlds, process }) => {
      process.process.kill("SIGSTOP");
      const calls = worlds.map(({ communicator }) => communicator.allReduce(new Float32Array(10)));
      for (const reason of await reasons(calls))
        expect(String(reason)).toMatch(/lost rank 2 \(nothing was heard of it for .* s\)/);
    },
    { heartbeatMs: 50, timeoutMs: 500 },
  );
});

test("a rank that is killed while megabytes move leaves no vector that is still written to", async () => {
  await withProcess(async ({ worlds, process }) => {
    const vectors = worlds.map(() => new Float32Array(20_000_000).fill(1));
    const sum = process.ask({ kind: "sum", length: 20_000_000 });
    sum.catch(() => undefined);
    const calls = worlds.map(({ communicator }, rank) => communicator.allReduce(vectors[rank]!));
    process.process.kill("SIGKILL");
    for (const reason of await reasons(calls)) expect(reason).toBeInstanceOf(PeerLostError);
    for (const vector of vectors) vector.fill(7);
    for (const world of worlds) world.advance(1);
    await Promise.all(worlds.map(({ communicator }) => communicator.group([0, 1]).barrier()));
    for (const vector of vectors) expect(vector.every((value) => value === 7)).toBe(true);
  });
});

test("a rank that leaves says so, and what it sent before can be received", async () => {
  const worlds = await joinAll(2);
  const [zero, one] = worlds as [TcpWorld, TcpWorld];
  await one.communicator.send(Float32Array.of(5), 0, 3);
  const loss = nextLoss(zero);
  await one[Symbol.asyncDispose]();
  expect(await loss).toEqual({ rank: 1, cause: "it has left" });
  expect((await zero.communicator.recv(1, 3)).vector[0]).toBe(5);
  await expect(zero.communicator.recv(1, 3)).rejects.toThrow("lost rank 1 (it has left)");
  await expect(zero.communicator.recv("any", 3)).rejects.toThrow(PeerLostError);
  await zero[Symbol.asyncDispose]();
  await expect(zero.communicator.barrier()).rejects.toThrow(RunError);
});

test("who is done with a collective may leave at once: the others get what they need", async () => {
  const worlds = await joinAll(4);
  await Promise.all(
    worlds.map(async (world, rank) => {
      const x = new Float32Array(3_000_000).fill(1);
      for (let i = 0; i < 3; i++) world.communicator.start.send(x, (rank + 1) % 4);
      await world.communicator.broadcast(x.fill(rank));
      expect(x.every((value) => value === 0)).toBe(true);
      await world[Symbol.asyncDispose]();
    }),
  );
});

test("who gives a call up breaks it off for the others, who are told", async () => {
  await onTcp(3, async (communicator, rank) => {
    const abort = new AbortController();
    const x = new Float32Array(1000);
    const call = communicator.allReduce(x, rank === 1 ? { signal: abort.signal } : {});
    if (rank === 1) abort.abort(new Error("enough"));
    await expect(call).rejects.toThrow(
      rank === 1 ? "enough" : "rank 1 gave allReduce(sum of 1000 floats) up",
    );
    await communicator.barrier();
  });
});

test("the control channel keeps order, carries bytes, and waits for its listener", async () => {
  await onTcp(3, async (communicator, rank, { control }) => {
    for (let i = 0; i < 3; i++)
      for (let to = 0; to < 3; to++)
        control.send(to, { number: i, to }, new Uint8Array(i * 100_000).fill(rank));
    await communicator.barrier();
    const got: string[] = [];
    await new Promise<void>((resolve) => {
      control.on(({ from, message, body }) => {
        got.push(`${from} ${JSON.stringify(message)} ${body.length} ${body.at(-1)}`);
        if (got.length === 9) resolve();
      });
    });
    for (let from = 0; from < 3; from++)
      expect(got.filter((line) => line.startsWith(String(from)))).toEqual([
        `${from} {"number":0,"to":${rank}} 0 undefined`,
        `${from} {"number":1,"to":${rank}} 100000 ${from}`,
        `${from} {"number":2,"to":${rank}} 200000 ${from}`,
      ]);
    expect(communicator.bytesSent).toBe(0);
  });
});

test("a snapshot holds counters, calls that were not waited for and messages that were not received", async () => {
  const saved: unknown[] = [];
  let id = 0;
  await onTcp(2, async (communicator, rank, world) => {
    const x = Float32Array.of(1, 2, 3);
    id = communicator.start.allReduce(x).id;
    if (rank === 0) await communicator.send(Float32Array.of(Number.NaN, -0), 1, 4);
    saved[rank] = JSON.parse(JSON.stringify(await world.snapshot()));
    await communicator.barrier();
  });
  await onTcp(2, async (communicator, rank, world) => {
    world.restore(saved[rank] as never);
    await communicator.started(id).wait();
    expect(communicator.bytesSent).toBe(rank === 0 ? 20 : 12);
    if (rank === 1) expect([...(await communicator.recv(0, 4)).vector]).toEqual([Number.NaN, -0]);
    expect(() => world.restore({})).toThrow("It belongs to another run.");
    communicator.start.allGather(new Float32Array(1));
    await expect(world.snapshot()).rejects.toThrow("it has started allGather");
    await communicator.barrier();
  });
});
