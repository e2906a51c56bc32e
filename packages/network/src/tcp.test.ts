import { bytes, createRandom, type Seconds, seconds } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Network, resolveNetwork } from "./network.ts";
import type { NetworkOptions } from "./options.ts";
import type { TransferSchedule } from "./schedule.ts";
import { lossRate, SEGMENT_SIZE } from "./tcp.ts";

const network = (options: NetworkOptions, worldSize = 3): Network =>
  resolveNetwork({ jitter: 0, loss: 0, ...options }, { worldSize, random: createRandom(1) });

const megabits = (rate: number): number => (rate * 8) / 1e6;

describe("the rate that loss leaves to one flow", () => {
  test.each([
    [0.06, 1e-4, 23.6, 24.7],
    [0.1, 0.005, 2.01, 2.01],
    [0.2, 0.02, 0.5, 0.5],
  ])("round trip of %d s, loss of %d: Reno %d Mbit/s, CUBIC %d", (roundTrip, loss, reno, cubic) => {
    expect(megabits(lossRate("reno", roundTrip, loss)) / reno).toBeCloseTo(1, 1.5);
    expect(megabits(lossRate("cubic", roundTrip, loss)) / cubic).toBeCloseTo(1, 1.5);
    expect(lossRate("cubic", roundTrip, loss)).toBeGreaterThanOrEqual(lossRate("reno", roundTrip, loss));
  });

  test("none is lost or none is heeded: no limit", () => {
    expect(lossRate("cubic", 0.1, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(lossRate("none", 0.1, 0.5)).toBe(Number.POSITIVE_INFINITY);
  });

  test("limits transfers, each of the parallel flows on its own, up to the link", () => {
    const options: NetworkOptions = { bandwidth: 1e7, latency: 0.05, loss: 0.005 };
    const time = (more: NetworkOptions): number => {
      // Retransmission is drawn; many small round trips of it vanish next to 100 MB.
      return network({ ...options, ...more }).transfer(0, 1, bytes(1e8), seconds(0));
    };
    const one = 1e8 / lossRate("reno", 0.1, 0.005);
    expect(time({ congestion: "reno" }) / one).toBeCloseTo(1, 1);
    expect(time({ congestion: "reno", flows: 8 }) / (one / 8)).toBeCloseTo(1, 1);
    expect(time({ congestion: "reno", flows: 1000 }) / 10).toBeCloseTo(1, 1);
    expect(time({}) / 10).toBeCloseTo(1, 1);
  });
});

describe("slow start", () => {
  const path: NetworkOptions = { bandwidth: 30e6, latency: 0.025, slowStart: true };
  const segments = (count: number): ReturnType<typeof bytes> => bytes(count * SEGMENT_SIZE);
  const wire = (count: number): number => (count * SEGMENT_SIZE) / 30e6;

  test("70 segments on a new connection: handshake, 10, 20, and 40 on the wire", () => {
    const time = network(path).transfer(0, 1, segments(70), seconds(0));
    expect(time).toBeCloseTo(0.05 + 0.1 + 0.025 + wire(40), 12);
    expect(time).toBeCloseTo(0.177, 3);
  });

  test("an open connection goes on with its window, until it has been idle for too long", () => {
    const one = network(path);
    let at = one.transfer(0, 1, segments(70), seconds(0));
    // 80 segments in flight are allowed now.
    expect(one.transfer(0, 1, segments(80), at) - at).toBeCloseTo(0.025 + wire(80), 12);
    at = seconds(10);
    expect(one.transfer(0, 1, segments(70), at) - at).toBeCloseTo(0.1 + 0.025 + wire(40), 12);
  });

  test("ends when the window fills the path: a long transfer is late by less than the rounds of its growth", () => {
    const size = 3e8;
    const late = network(path).transfer(0, 1, bytes(size), seconds(0)) - (0.025 + size / 30e6);
    // 10 · 2⁷ segments exceed the 1036 that the path holds: at most seven rounds and the handshake.
    expect(late).toBeGreaterThan(0.05);
    expect(late).toBeLessThan(0.05 * 8);
  });

  test("never speeds anything up, and costs nothing where there is no latency", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(1e7), fc.double({ min: 0, max: 2, noNaN: true })), { maxLength: 8 }),
        fc.constantFrom(0, 0.001, 0.1),
        (transfers, latency) => {
          const [slow, plain] = [network({ ...path, latency }), network({ bandwidth: 30e6, latency })];
          let at = 0;
          for (const [size, pause] of transfers) {
            const end = slow.transfer(0, 1, bytes(size), seconds(at));
            const earliest = plain.transfer(0, 1, bytes(size), seconds(at));
            if (latency === 0) expect(end).toBe(earliest);
            expect(end).toBeGreaterThanOrEqual(earliest - 1e-9);
            at = end + pause;
          }
        },
      ),
    );
  });

  test("the state of connections is part of a snapshot", () => {
    const first = network(path);
    first.transfer(0, 1, segments(30), seconds(0));
    const second = network(path);
    second.restore(JSON.parse(JSON.stringify(first.snapshot())));
    const next = (on: Network): number => on.transfer(0, 1, segments(500), seconds(0.2));
    expect(next(second)).toBe(next(first));
    expect(next(network(path))).not.toBe(next(first));
  });
});

test("mixed round trips: a capacity is shared equally, or by 1/RTT where asked", () => {
  const incast: TransferSchedule = {
    ranks: [0, 1, 2],
    chunkBytes: Float64Array.of(1e6),
    rounds: () => [
      { sources: Int32Array.of(1, 2), targets: Int32Array.of(0, 0), chunks: Int32Array.of(0, 0) },
    ],
  };
  const options: NetworkOptions = {
    bandwidth: 1e6,
    latency: 0.1,
    links: [{ from: 2, to: 0, latency: 0.3 }],
  };
  const zeros: readonly Seconds[] = [seconds(0), seconds(0), seconds(0)];
  // Alone from 0.1 s to 0.3 s the near flow moves 0.2 MB. Then equal shares let it end 1.6 s later, shares of 3 : 1 after
  // 0.8 / 0.75 s; what the far one has left it moves alone.
  expect(network(options).time(incast, zeros)).toEqual(
    [2.1, 1.9, 2.1].map((time) => expect.closeTo(time, 9)),
  );
  const near = 0.3 + 0.8 / 0.75;
  expect(network({ ...options, rttWeights: true }).time(incast, zeros)).toEqual(
    [2.1, near, 2.1].map((time) => expect.closeTo(time, 9)),
  );
});

test("every option is in config.json", () => {
  expect(network({}).config).toMatchObject({
    congestion: "none",
    flows: 1,
    slowStart: false,
    rttWeights: false,
  });
  expect(network({ congestion: "cubic", flows: 4, slowStart: true, rttWeights: true }).config).toMatchObject({
    congestion: "cubic",
    flows: 4,
    slowStart: true,
    rttWeights: true,
  });
});

test.each([
  [{ congestion: "qubic" as never }, 'Unknown congestion control "qubic". Did you mean "cubic"?'],
  [{ flows: 0.5 }, 'Option "network.flows": expected a whole number from 1 to 65535, got 0.5.'],
  [{ window: 0 }, 'Option "network.window": expected bytes above 0, got 0.'],
  [{ tcp: "lv08" as const, slowStart: true }, "whose latency factor of 13.01 stands for slow start"],
  [{ tcp: "none" as const, flows: 2 }, "need a TCP model, got network.tcp=none"],
  [{ tcp: "none" as const, window: 7 }, "need a TCP model, got network.tcp=none"],
])("bad input %j is refused", (options, message) => {
  expect(() => network(options)).toThrow(message);
});
