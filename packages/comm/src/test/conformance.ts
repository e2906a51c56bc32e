// What every communicator does, whatever carries its bytes: the cases that each transport runs (simulated.test.ts, and
// node/tcpWorld.test.ts for sockets). Times are each transport's own business.

import type { NetworkOptions } from "@atoll/network";
import { TOPOLOGY_NAMES } from "@atoll/network";
import { describe, expect, test } from "vitest";
import { int8 } from "../codecs/int8.ts";
import type { Communicator } from "../communicator.ts";

/** Runs one function a rank, all at once, in a world of its own; rejects as the first that fails does. */
export type RunWorld = (
  worldSize: number,
  body: (communicator: Communicator, rank: number) => Promise<void>,
  options?: NetworkOptions,
) => Promise<void>;

const nothing = async (call: Promise<unknown>): Promise<void> => void (await call);

type Wrong = readonly [call: (c: Communicator) => Promise<void>, message: string];

/** Calls of rank 0 alone. */
const BAD_CALLS: readonly Wrong[] = [
  [(c) => c.send(new Float32Array(1), 0), "send: expected another member than 0"],
  [(c) => c.send(new Float32Array(1), 5), "send: expected a member from 0 to 1, got 5."],
  [(c) => c.send(new Float32Array(1), 1, 0.5), "expected a tag that is a whole number, got 0.5"],
  [(c) => nothing(c.recv(-1)), "recv: expected a member from 0 to 1, got -1."],
  [(c) => nothing(c.gather(new Float32Array(1), 2)), "gather: expected a root from 0 to 1"],
  [(c) => nothing(c.allToAll([])), "allToAll: expected 2 parts, one for each member, got 0."],
  [(c) => nothing(c.arrived(0.5)), "arrived: expected a tag that is a whole number"],
  [
    (c) => c.allReduce(new Float32Array(4), { codec: int8(), algorithm: "ring" }),
    "expected an algorithm or a codec, got both",
  ],
  [
    async (c) => {
      const handle = c.start.send(new Float32Array(1), 1);
      await handle.wait();
      await handle.wait();
    },
    "waits a second time for the same handle",
  ],
  [async (c) => void c.started(9), "asks for the handle 9, but has none"],
];

/** Calls of all three ranks, after a barrier. */
const UNFIT_CALLS: readonly Wrong[] = [
  [
    (c) => (c.rank === 2 ? c.barrier() : c.allReduce(new Float32Array(5))),
    "Collective #2 of ranks 0, 1, 2: rank 0 calls allReduce(sum of 5 floats), rank 2 calls barrier().",
  ],
  [
    (c) => c.allReduce(new Float32Array(c.rank === 1 ? 6 : 5)),
    "rank 0 calls allReduce(sum of 5 floats), rank 1 calls allReduce(sum of 6 floats).",
  ],
  [
    (c) => c.allReduce(new Float32Array(5), c.rank === 1 ? { algorithm: "tree" } : {}),
    "rank 0 calls allReduce(sum of 5 floats), rank 1 calls allReduce(sum of 5 floats, tree).",
  ],
  [(c) => c.broadcast(new Float32Array(5), c.rank), "rank 1 calls broadcast(5 floats from member 1)."],
  [
    (c) => nothing(c.gather(new Float32Array(5), c.rank === 0 ? 0 : 1)),
    "rank 0 calls gather(5 floats to member 0), rank 1 calls gather(5 floats to member 1).",
  ],
  [
    (c) => c.allReduce(new Float32Array(4), { codec: int8({ blockSize: 2 + c.rank }) }),
    "rank 0 calls allReduce(sum of 4 floats, int8/2), rank 1 calls allReduce(sum of 4 floats, int8/3).",
  ],
  [(c) => c.broadcast(new Float32Array(5), 3), "broadcast: expected a root from 0 to 2, got 3."],
  [(c) => c.group([7, c.rank]).barrier(), "]): expected members from 0 to 2, got 7."],
  [(c) => c.group([0, 1, 2, 2]).barrier(), "group([0,1,2,2]): expected each member once."],
  [(c) => c.group([2]).barrier(), "group([2]) on member 0: expected a list with this member in it."],
];

/** What each of four ranks does with collectives of all and of a group. */
export async function collectivesAndGroups(
  communicator: Communicator,
  rank: number,
  topology: string,
): Promise<void> {
  const x = Float32Array.of(rank);
  await communicator.broadcast(x, 2);
  expect([...x]).toEqual([2]);
  const parts = await communicator.allGather(new Float32Array(rank).fill(rank));
  expect(parts.map((part) => [...part])).toEqual([[], [1], [2, 2], [3, 3, 3]]);
  // A star's hub is rank 0, which is no member of this group: its traffic goes through the hub all the same.
  if (rank === 0) return;
  const list = [3, 1, 2];
  const group = communicator.group(list);
  expect([group.rank, group.worldSize]).toEqual([list.indexOf(rank), 3]);
  const before = group.bytesSent;
  const y = Float32Array.of(rank, 10 * rank, 100 * rank);
  await group.allReduce(y);
  expect([...y]).toEqual([6, 60, 600]);
  expect(group.bytesSent - before).toBe(topology === "star" ? (rank === 3 ? 24 : 12) : 16);
  await communicator.group(list).broadcast(y.fill(rank), 1);
  expect([...y]).toEqual([1, 1, 1]);
  const own = await group.allGather(Float32Array.of(rank));
  expect(own.map((part) => part[0])).toEqual(list);
  await group.barrier();
}

async function movesParts(communicator: Communicator, rank: number): Promise<void> {
  const x = Float32Array.from({ length: 7 }, (_, i) => i * 10 ** rank);
  const before = x.slice();
  const shards = [
    [0, 111],
    [222, 333],
    [444, 555, 666],
  ];
  expect([...(await communicator.reduceScatter(x))]).toEqual(shards[rank]);
  expect([...(await communicator.reduceScatter(x, { op: "mean" }))]).toEqual(
    shards[rank]!.map((value) => Math.fround(value / 3)),
  );
  expect([...(await communicator.allReduced(x))]).toEqual(shards.flat());
  expect(x).toEqual(before);
  const parts = [0, 1, 2].map((target) => new Float32Array(rank + target).fill(10 * rank + target));
  const received = await communicator.allToAll(parts);
  expect(received.map((part) => [...part])).toEqual(
    [0, 1, 2].map((source) => new Array(source + rank).fill(10 * source + rank)),
  );
  const gathered = await communicator.gather(new Float32Array(rank).fill(rank), 1);
  expect(gathered.map((part) => [...part])).toEqual(rank === 1 ? [[], [1], [2, 2]] : []);
}

async function worldOfOne(communicator: Communicator): Promise<void> {
  const x = Float32Array.of(3, 4);
  await communicator.allReduce(x, { op: "mean" });
  await communicator.broadcast(x);
  await communicator.barrier();
  expect((await communicator.allGather(x)).map((part) => [...part])).toEqual([[3, 4]]);
  expect(await communicator.reduceScatter(x, { op: "mean" })).toEqual(x);
  expect(await communicator.allToAll([x])).toEqual([x]);
  expect(await communicator.gather(x)).toEqual([x]);
  const handle = communicator.start.allReduce(x, { op: "mean", codec: int8() });
  await communicator.started(handle.id).wait();
  expect([...x]).toEqual([3, 4]);
  expect(communicator.bytesSent).toBe(0);
}

async function messagesOfGroups(communicator: Communicator, rank: number): Promise<void> {
  if (rank === 1) return;
  const pair = communicator.group([2, 0]);
  const start = communicator.start.send(Float32Array.of(100 + rank), 2 - rank);
  await pair.send(Float32Array.of(rank), 1 - pair.rank);
  const message = await pair.recv("any");
  expect([message.source, message.vector[0]]).toEqual([1 - pair.rank, 2 - rank]);
  expect((await communicator.recv("any")).source).toBe(2 - rank);
  await start.wait();
}

async function messagesByTag(communicator: Communicator, rank: number): Promise<void> {
  if (rank === 1) {
    expect(await communicator.arrived(3)).toEqual([]);
    await communicator.barrier();
    const second = await communicator.recv(0, 7);
    expect([second.source, second.tag, second.vector[0]]).toEqual([0, 7, 2]);
    expect((await communicator.recv("any")).vector[0]).toBe(1);
    const [third, none] = [await communicator.arrived(3), await communicator.arrived(3)];
    expect(third.map(({ vector }) => [...vector])).toEqual([[], [3, 3]]);
    expect(none).toEqual([]);
    return;
  }
  const x = Float32Array.of(1);
  const handle = communicator.start.send(x, 1);
  x[0] = 9; // It was copied.
  await communicator.send(new Float32Array(0), 1, 3);
  await communicator.send(Float32Array.of(3, 3), 1, 3, { given: true });
  await communicator.send(Float32Array.of(2), 1, 7);
  await handle.wait();
  expect(communicator.bytesSent).toBe(16);
  await communicator.barrier();
}

/** Calls in different orders, of groups that have members in common, none of which may wait for another. */
async function crossing(communicator: Communicator, rank: number): Promise<void> {
  const x = new Float32Array(1000).fill(1);
  const y = new Float32Array(1000).fill(1);
  const pair = rank < 2 ? communicator.group([0, 1]) : undefined;
  if (pair !== undefined && rank === 1) {
    const first = pair.start.allReduce(y);
    const all = communicator.start.allReduce(x);
    await Promise.all([all.wait(), first.wait()]);
  } else {
    if (rank === 2) await communicator.recv(0);
    const all = communicator.start.allReduce(x);
    await pair?.allReduce(y);
    if (rank === 0) await communicator.send(y, 2);
    await all.wait();
  }
  expect(x[999]).toBe(3);
  expect(y[999]).toBe(rank < 2 ? 2 : 1);
}

export function describeCommunicator(name: string, run: RunWorld): void {
  describe(`a communicator, ${name}`, () => {
    test("all-reduce sums or averages in place, in views of shared memory too", async () => {
      await run(3, async (communicator, rank) => {
        const memory = new Float32Array(new SharedArrayBuffer(64));
        const x = memory.subarray(4, 8).fill(rank + 1);
        await communicator.allReduce(x);
        expect([...memory]).toEqual([0, 0, 0, 0, 6, 6, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0]);
        await communicator.allReduce(x.fill(rank), { op: "mean" });
        expect([...x]).toEqual([1, 1, 1, 1]);
      });
    });
    test.each(TOPOLOGY_NAMES.filter((topology) => topology !== "custom"))(
      "collectives of all ranks and of groups in the order of their list, on %s",
      (topology) =>
        run(4, (communicator, rank) => collectivesAndGroups(communicator, rank, topology), { topology }),
    );
    test("reduce-scatter gives each member its shard and leaves the vectors alone; all-to-all, gather", () =>
      run(3, movesParts));
    test("a world of one sends nothing and has its own", () => run(1, worldOfOne));
    test("a group's messages are its own, by its members' numbers", () => run(3, messagesOfGroups));
    test("messages meet by source and tag, in the order sent, and are copied", () => run(2, messagesByTag));
    test("a collective that still gathers its members holds nobody up", () => run(3, crossing));
    test.each(BAD_CALLS)("bad calls are refused: %#", async (call, message) => {
      const done = run(2, (communicator, rank) => (rank === 0 ? call(communicator) : Promise.resolve()));
      await expect(done).rejects.toThrow(message);
    });
    test.each(UNFIT_CALLS)("calls that do not fit are refused: %#", async (call, message) => {
      const done = run(3, async (communicator) => {
        await communicator.barrier();
        await call(communicator);
      });
      await expect(done).rejects.toThrow(message);
    });
    test("an aborted member's call rejects with the signal's reason", async () => {
      const abort = new AbortController();
      const done = run(2, async (communicator, rank) => {
        if (rank === 0) await communicator.allReduce(new Float32Array(1), { signal: abort.signal });
        else abort.abort(new Error("enough"));
      });
      await expect(done).rejects.toThrow("enough");
    });
  });
}
