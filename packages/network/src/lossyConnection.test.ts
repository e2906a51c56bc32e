import { bytes, createRandom, seconds } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CongestionWindow } from "./congestionWindow.ts";
import type { Uniforms } from "./draws.ts";
import { Flights } from "./flights.ts";
import { type Network, resolveNetwork } from "./network.ts";
import type { NetworkOptions } from "./options.ts";
import type { Outages } from "./outages.ts";
import type { TransferSchedule } from "./schedule.ts";
import { lossRate, SEGMENT_SIZE } from "./tcp.ts";

const network = (options: NetworkOptions, seed = 1, outages?: Outages): Network =>
  resolveNetwork({ tcp: "rounds", ...options }, { worldSize: 4, random: createRandom(seed), outages });

const exact = { jitter: 0, loss: 0 } as const;
const path: NetworkOptions = { ...exact, bandwidth: 30e6, latency: 0.025 };
const segments = (count: number): ReturnType<typeof bytes> => bytes(count * SEGMENT_SIZE);

describe("without loss", () => {
  test("100 kB on a new connection take .177 s", () => {
    expect(network(path).transfer(0, 1, segments(70), seconds(0))).toBeCloseTo(
      0.05 + 0.1 + 0.025 + (40 * SEGMENT_SIZE) / 30e6,
      12,
    );
  });

  test("times are those of slow start alone", () => {
    // Whole segments: one byte more than fits into a flight costs a round trip, and one counts in bytes, the other in segments.
    const transfers = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 7000 }), fc.double({ min: 0, max: 2, noNaN: true })),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(
        transfers,
        fc.constantFrom(0, 1e-4, 0.01, 0.1),
        fc.constantFrom("reno", "cubic"),
        (sent, latency, congestion) => {
          const drawn = network({ ...path, latency, congestion });
          const plain = network({ ...path, latency, tcp: "cm02", slowStart: true });
          let at = 0;
          for (const [count, pause] of sent) {
            const end = drawn.transfer(0, 1, segments(count), seconds(at));
            expect(end).toBeCloseTo(plain.transfer(0, 1, segments(count), seconds(at)), 9);
            at = end + pause;
          }
        },
      ),
    );
  });
});

describe("a flight of a flow with 10 segments in its window, 1 s of round trip and 1.2 s of timeout", () => {
  const LOSS = 0.1;

  /** Seconds until `count` segments have left of which those with these numbers, in the order of sending, are lost. */
  function flightsOf(count: number, lost: readonly number[], control: "reno" | "cubic" = "reno") {
    const window = new CongestionWindow(control, 1);
    window.open();
    const gaps = lost.map((number, i) => number - (i === 0 ? 0 : lost[i - 1]! + 1));
    const draws: Uniforms = {
      // The middle of the numbers that give this gap; none is lost after the last.
      uniform: () => 1 - (1 - LOSS) ** ((gaps.shift() ?? 1000) + 0.5),
    };
    const flow = { window, roundTrip: 1, timeout: 1.2, perSegment: 0.001, loss: LOSS, draws };
    const { waited, moving, sent } = new Flights(count, flow).run();
    return { time: waited + moving, waited, sent, size: window.size };
  }

  test("without loss doubles; the last one is sent at once", () => {
    expect(flightsOf(70, [])).toEqual({ time: expect.closeTo(2.04, 12), waited: 2, sent: 40, size: 80 });
  });

  test("with a loss costs a round trip by fast retransmit and halves the window, or leaves .7 of it", () => {
    expect(flightsOf(10, [2])).toMatchObject({ time: expect.closeTo(1.001, 12), waited: 0, size: 5 });
    expect(flightsOf(10, [2], "cubic")).toMatchObject({ time: expect.closeTo(1.001, 12), size: 7 });
    // 10 with two lost, 5 that repair them, 5, 6, 6 at once.
    expect(flightsOf(24, [2, 4]).time).toBeCloseTo(3 + 0.006, 12);
  });

  test("waits for the timeout if fewer than three later segments arrive", () => {
    // Nine are acknowledged after a round trip; then the timer runs, and the tenth is sent again by itself.
    expect(flightsOf(10, [9])).toMatchObject({ time: expect.closeTo(1 + 1.2 + 0.001, 12), waited: 1.2 });
    expect(flightsOf(10, [7]).waited).toBe(1.2);
    expect(flightsOf(10, [6]).waited).toBe(0);
    // More data behind the window tell of the loss of its last segment.
    expect(flightsOf(30, [9]).waited).toBe(0);
    expect(flightsOf(1, [0])).toMatchObject({ time: expect.closeTo(1.2 + 0.002, 12), sent: 2 });
  });

  test("waits for it as well if what is sent again is lost again, twice as long each time in a row", () => {
    expect(flightsOf(10, [2, 10]).waited).toBe(1.2);
    expect(flightsOf(1, [0, 1, 2]).waited).toBeCloseTo(1.2 + 2.4 + 4.8, 12);
    expect(flightsOf(1, [0, 1, 2, 3, 4, 5, 6, 7]).waited).toBeCloseTo(1.2 * 63 + 60 + 60, 12);
  });

  test("after a timeout slow start goes up to half the former window, then the window grows by one a round trip", () => {
    // 10 with a loss, 5 with it lost again; then 1, 2, 2.5, 3.5, 4.5, and 2.5 of 5.5 at once.
    const { time, size } = flightsOf(29, [2, 10]);
    expect(time).toBeCloseTo(1 + 0.005 + 1.2 + 5 + 0.0025, 12);
    expect(size).toBeCloseTo(5.5 + 2.5 / 5.5, 12);
  });
});

describe("with loss", () => {
  test.each([
    [0.06, 1e-4],
    [0.06, 1e-3],
    [0.1, 5e-3],
  ])(
    "Reno's mean rate in the long run, round trip of %d s, loss of %d: MSS / RTT · √(3/2p)",
    (roundTrip, loss) => {
      const lossy = network({ ...exact, bandwidth: 1e9, window: 1e9, latency: roundTrip / 2, loss });
      const reno = network({
        ...exact,
        bandwidth: 1e9,
        window: 1e9,
        latency: roundTrip / 2,
        loss,
        congestion: "reno",
      });
      const size = bytes((SEGMENT_SIZE * 4000) / loss);
      const start = reno.transfer(0, 1, size, seconds(0));
      const rate = size / (reno.transfer(0, 1, size, start) - start);
      expect(Math.abs(rate / lossRate("reno", roundTrip, loss) - 1)).toBeLessThan(0.1);
      const from = lossy.transfer(0, 1, size, seconds(0));
      const cubic = size / (lossy.transfer(0, 1, size, from) - from);
      expect(Math.abs(cubic / lossRate("cubic", roundTrip, loss) - 1)).toBeLessThan(0.25);
    },
  );

  test("on new connections the 95th percentile of 1 MB at 0.1 % is three to four times the median", () => {
    const lossy = network({ ...path, loss: 1e-3, congestion: "reno" });
    const times = Array.from({ length: 3000 }, (_, transfer) => {
      lossy.restore({ 0: { 1: [transfer] } });
      return lossy.transfer(0, 1, bytes(1e6), seconds(0));
    }).sort((a, b) => a - b);
    const ratio = times[2850]! / times[1500]!;
    expect(ratio).toBeGreaterThan(3);
    expect(ratio).toBeLessThan(4);
  });

  const options = fc.record({
    profile: fc.constantFrom("wan", "mobile", "poor"),
    congestion: fc.constantFrom("reno", "cubic"),
    flows: fc.constantFrom(1, 3),
  });

  test("nothing is faster than without it, and all of it is finite", () => {
    fc.assert(
      fc.property(
        options,
        fc.constantFrom(0.001, 0.1, 0.6),
        fc.array(fc.nat(1e6), { maxLength: 8 }),
        fc.nat(),
        (how, loss, sizes, seed) => {
          const [lossy, plain] = [
            network({ ...how, jitter: 0, loss }, seed),
            network({ ...how, jitter: 0, loss: 0, tcp: "cm02", congestion: "none" }, seed),
          ];
          let at = seconds(0);
          for (const size of sizes) {
            const end = lossy.transfer(0, 1, bytes(size), at);
            expect(end).toBeLessThan(Number.POSITIVE_INFINITY);
            expect(end - at).toBeGreaterThanOrEqual(plain.transfer(0, 1, bytes(size), at) - at - 1e-9);
            at = end;
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  const ring = (size: number): TransferSchedule => ({
    ranks: [0, 1, 2, 3],
    chunkBytes: Float64Array.of(size),
    rounds: () =>
      [0, 1, 2].map(() => ({
        sources: Int32Array.of(0, 1, 2, 3),
        targets: Int32Array.of(1, 2, 3, 0),
        chunks: Int32Array.of(0, 0, 0, 0),
      })),
  });
  const incast: TransferSchedule = {
    ...ring(3e5),
    rounds: () => [
      {
        sources: Int32Array.of(1, 2, 3),
        targets: Int32Array.of(0, 0, 0),
        chunks: Int32Array.of(0, 0, 0),
      },
    ],
  };

  test("a network goes on from a snapshot with the same times, to the last bit", () => {
    const visits = fc.array(fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3e6)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(options, visits, fc.nat(8), fc.nat(), (how, visited, cut, seed) => {
        const send = (on: Network, from: number, to = visited.length): readonly number[] =>
          visited.slice(from, to).flatMap(([source, target, size], i) => {
            const at = seconds(from + i);
            if (source === target) return on.time(ring(size), [at, at, at, at]);
            return on.transfer(source, target, bytes(size), at);
          });
        const whole = network(how, seed);
        send(whole, 0, cut);
        const second = network(how, seed);
        second.restore(JSON.parse(JSON.stringify(whole.snapshot())) as ReturnType<Network["snapshot"]>);
        expect(send(second, cut)).toEqual(send(whole, cut));
        expect(second.snapshot()).toEqual(whole.snapshot());
      }),
      { numRuns: 40 },
    );
  });

  test("outages that are not met change nothing, contended or not", () => {
    const never: Outages = { isUp: () => true, nextChange: () => Number.POSITIVE_INFINITY };
    const zeros = [0, 0, 0, 0].map(seconds);
    fc.assert(
      fc.property(options, fc.constantFrom(ring(1e5), ring(3e6), incast), fc.nat(), (how, schedule, seed) => {
        const times = network(how, seed).time(schedule, zeros);
        const watched = network(how, seed, never).time(schedule, zeros);
        for (const [i, time] of times.entries()) expect(watched[i]! / time).toBeCloseTo(1, 9);
      }),
      { numRuns: 40 },
    );
  });

  test("an estimate takes the mean rate that the losses leave", () => {
    const estimate = (options: NetworkOptions): number =>
      network({ ...path, ...options }).estimate(ring(3e6));
    const lossy = { loss: 0.005, congestion: "reno" } as const;
    expect(estimate(lossy)).toBe(estimate({ ...lossy, tcp: "cm02" }));
    expect(estimate(lossy)).toBeGreaterThan(2 * estimate({}));
  });

  test("what is tried out takes what the losses cost, and what is too large is estimated", () => {
    const worldSize = 40;
    const ranks = Array.from({ length: worldSize }, (_, rank) => rank);
    const many: TransferSchedule = {
      ...ring(3e6),
      ranks,
      rounds: () => [
        {
          sources: Int32Array.from(ranks),
          targets: Int32Array.from(ranks, (rank) => (rank + 1) % worldSize),
          chunks: new Int32Array(worldSize),
        },
      ],
    };
    const lossy = { ...path, loss: 0.005, congestion: "reno" } as const;
    const large = resolveNetwork({ tcp: "rounds", ...lossy }, { worldSize, random: createRandom(1) });
    expect(large.tryOut(many)).toBe(large.estimate(many));
    const small = network(lossy);
    // A round waits for the slowest of its transfers.
    expect(small.tryOut(ring(3e6)) / small.estimate(ring(3e6))).toBeGreaterThan(0.95);
    expect(small.tryOut(ring(3e6)) / small.estimate(ring(3e6))).toBeLessThan(1.4);
  });

  test("flows share a path, and eight of them lose less of it than one", () => {
    const time = (flows: number): number =>
      network({ ...path, loss: 0.005, congestion: "reno", flows }).transfer(0, 1, bytes(3e7), seconds(0));
    expect(time(1) / time(8)).toBeGreaterThan(5);
    expect(time(64)).toBeGreaterThan(1);
  });
});

test("config.json has what stands for the options that are left out", () => {
  expect(network({}).config).toMatchObject({
    tcp: "rounds",
    congestion: "cubic",
    slowStart: true,
    lossRecovery: "fast retransmit or timeout, by rounds of the window",
  });
  expect(network({ tcp: undefined }).config).toMatchObject({
    lossRecovery: "selective repeat, one round trip each",
  });
});

test.each([[{ congestion: "none" as const }], [{ slowStart: false }]])(
  "bad input %j is refused",
  (options) => {
    expect(() => network(options)).toThrow("network.tcp=rounds needs reno or cubic, and slow start");
  },
);
