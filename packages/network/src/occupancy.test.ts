// Calls that go on among each other: what one takes is not there for the next, and no capacity carries more than it can.

import { bytes, createRandom, type Rank, seconds } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Network, resolveNetwork } from "./network.ts";
import { Occupancy } from "./occupancy.ts";
import type { NetworkOptions } from "./options.ts";
import type { TransferSchedule } from "./schedule.ts";

const exact: NetworkOptions = { bandwidth: 1e6, latency: 0.1, jitter: 0, loss: 0, tcp: "none" };

/** A network, and calls on it that go on among each other. */
function exchange(options: NetworkOptions, worldSize: number) {
  const network: Network = resolveNetwork({ ...exact, ...options }, { worldSize, random: createRandom(1) });
  const among = new Occupancy();
  return {
    network,
    send: (source: Rank, target: Rank, size: number, at = 0): number =>
      network.send(source, target, bytes(size), seconds(at), { among }).arrived,
    time: (schedule: TransferSchedule, at = 0): readonly number[] =>
      network.time(
        schedule,
        schedule.ranks.map(() => seconds(at)),
        { among },
      ),
  };
}

/** One transfer of so many bytes from each rank to the next in the list. */
const chain = (ranks: readonly Rank[], size: number): TransferSchedule => ({
  ranks,
  chunkBytes: Float64Array.of(bytes(size)),
  rounds: () => [
    {
      sources: Int32Array.from(ranks.slice(1), (_, i) => i),
      targets: Int32Array.from(ranks.slice(1), (_, i) => i + 1),
      chunks: new Int32Array(ranks.length - 1),
    },
  ],
});

describe("messages", () => {
  test.each<NetworkOptions>([{}, { background: { load: 0 } }])(
    "to one node take its NIC one after another: the last of k arrives after k times the bytes, %j",
    (options) => {
      const { send } = exchange({ nic: 1e6, ...options }, 6);
      [1, 2, 3, 4, 5].forEach((source, i) => {
        expect(send(source, 0, 1e6)).toBeCloseTo(0.1 + i + 1, 9);
      });
    },
  );

  test("over links of their own do not meet", () => {
    const { send } = exchange({ nic: 1e9 }, 4);
    for (const source of [1, 2, 3]) expect(send(source, 0, 1e6)).toBeCloseTo(1.1, 9);
  });

  test("over a star all pass the hub; one that comes when the hub is free meets nobody", () => {
    const { send } = exchange({ topology: "star" }, 5);
    expect(send(1, 2, 1e6)).toBeCloseTo(1.2, 9);
    expect(send(3, 4, 1e6, 0.5)).toBeCloseTo(2.2, 9);
    expect(send(4, 1, 1e6, 9)).toBeCloseTo(10.2, 9);
  });

  test("that go on among nobody are in nobody's way", () => {
    const { network, send } = exchange({ topology: "star" }, 5);
    for (let i = 0; i < 3; i++) expect(network.transfer(1, 2, bytes(1e6), seconds(0))).toBeCloseTo(1.2, 9);
    expect(send(3, 4, 1e6)).toBeCloseTo(1.2, 9);
    expect(network.transfer(1, 2, bytes(1e6), seconds(0))).toBeCloseTo(1.2, 9);
  });
});

describe("schedules", () => {
  test("of two groups on one ring share the link that both go over; on links of their own they do not", () => {
    const { time } = exchange({ topology: "ring", nic: 1e9 }, 6);
    expect(time(chain([0, 2], 1e6))[1]).toBeCloseTo(1.2, 9);
    expect(time(chain([1, 3], 1e6))[1]).toBeCloseTo(2.2, 9);
    expect(time(chain([4, 5], 1e6))[1]).toBeCloseTo(1.1, 9);
  });

  test("come before or after messages alike, and take what is left in between", () => {
    const { send, time } = exchange({ topology: "ring", nic: 1e9 }, 6);
    // Over the link from 2 to 3 from 0.2 s to 1.2 s.
    expect(send(1, 3, 1e6)).toBeCloseTo(1.2, 9);
    expect(time(chain([2, 3], 1e6))[1]).toBeCloseTo(2.1, 9);
    expect(send(2, 3, 1e6)).toBeCloseTo(3.1, 9);
  });
});

const calls = fc.array(
  fc.record({
    group: fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 2, maxLength: 4 }),
    size: fc.integer({ min: 1, max: 3e6 }),
    at: fc.integer({ min: 0, max: 4 }),
    isMessage: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

describe.each<NetworkOptions>([
  { topology: "star" },
  { topology: "ring" },
  { topology: "fully_connected", nic: 1e6 },
  { topology: "tree", background: { load: 0.3, interval: 0.4 } },
])("any calls on %j", (options) => {
  test("move no more over a node's NIC than it carries, and no message arrives sooner than by itself", () => {
    fc.assert(
      fc.property(calls, (list) => {
        const { send, time } = exchange(options, 7);
        const ends = list.map(({ group, size, at, isMessage }) => {
          const alone = exchange(options, 7);
          const call = ({ send, time }: Pick<typeof alone, "send" | "time">): number =>
            isMessage ? send(group[0]!, group[1]!, size, at) : Math.max(...time(chain(group, size), at));
          const end = call({ send, time });
          // Of a call of several transfers one may end sooner where another, with which it shares, is held up by others.
          if (isMessage) expect(end).toBeGreaterThanOrEqual(call(alone) - 1e-9);
          return end;
        });
        for (let node = 0; node < 7; node++) {
          const into = list.flatMap(({ group, size, isMessage, at }, i) => {
            const targets = (isMessage ? group.slice(0, 2) : group).slice(1);
            return targets.includes(node) ? [{ size, end: ends[i]!, from: at }] : [];
          });
          const volume = into.reduce((sum, { size }) => sum + size, 0);
          const from = Math.min(...into.map((call) => call.from));
          const until = Math.max(...into.map(({ end }) => end));
          if (into.length > 0) expect(volume).toBeLessThanOrEqual((until - from) * 1e6 * (1 + 1e-6));
        }
      }),
    );
  });
});

test("what is taken is a sum of pieces, whatever their order", () => {
  const piece = fc.tuple(
    fc.integer({ min: 0, max: 20 }),
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 9 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const occupancy = new Occupancy();
      for (const [from, length, rate] of pieces) occupancy.take([3], from, from + length, rate * length);
      const expected = (time: number): number =>
        pieces.reduce(
          (sum, [from, length, rate]) => (from <= time && time < from + length ? sum + rate : sum),
          0,
        );
      for (let time = 0; time < 30; time++) {
        expect(occupancy.of(3)?.at(time) ?? 0).toBeCloseTo(expected(time), 9);
        const next = occupancy.of(3)?.nextChange(time) ?? Number.POSITIVE_INFINITY;
        for (let later = time; later < Math.min(next, 30); later++)
          expect(expected(later)).toBeCloseTo(expected(time), 9);
        expect(occupancy.isFree([3], time)).toBe(pieces.every(([from, length]) => from + length <= time));
      }
      expect(occupancy.isFree([4], 0)).toBe(true);
    }),
  );
});
