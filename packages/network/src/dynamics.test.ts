// Traces, background traffic and outages as a network's user sees them: examples, options, and what must stay the same.
// Their times against brute force are in changing.test.ts.

import { bytes, createRandom, type Rank, type Seconds, seconds } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Network, resolveNetwork } from "./network.ts";
import type { NetworkOptions } from "./options.ts";
import type { Outages } from "./outages.ts";
import type { TransferSchedule } from "./schedule.ts";
import type { TraceOptions, TracePoint } from "./trace.ts";

const network = (options: NetworkOptions, worldSize = 4, outages?: Outages, seed = 1): Network =>
  resolveNetwork(options, { worldSize, random: createRandom(seed), outages });

const exact: NetworkOptions = { latency: 0.1, jitter: 0, loss: 0, tcp: "none" };

/** 1 MB/s for a second, nothing for another, then 4 MB/s up to 10 s. */
const points: readonly TracePoint[] = [
  [0, 1e6],
  [1, 0],
  [2, 4e6],
  [10, 0],
];

const arrival = (on: Network, size: number, at = 0, source = 0, target = 1): number =>
  on.transfer(source, target, bytes(size), seconds(at));

/** Every member sends to the next, `rounds` times. */
const ring = (worldSize: number, size: number, rounds: number): TransferSchedule => {
  const sources = Int32Array.from({ length: worldSize }, (_, rank) => rank);
  const targets = sources.map((rank) => (rank + 1) % worldSize);
  const round = { sources, targets, chunks: sources };
  return {
    ranks: [...sources],
    chunkBytes: new Float64Array(worldSize).fill(size),
    rounds: () => Array.from({ length: rounds }, () => round),
  };
};

const zeros = (count: number): readonly Seconds[] => new Array<Seconds>(count).fill(seconds(0));

/** Links between some pairs of nodes are down for some time. */
const downFor = (pairs: readonly (readonly [Rank, Rank])[], from: number, until: number): Outages => ({
  isUp: (a, b, at) =>
    at < from || at >= until || !pairs.some(([x, y]) => (x === a && y === b) || (x === b && y === a)),
  nextChange: (at) => (at < from ? from : at < until ? until : Number.POSITIVE_INFINITY),
});

describe("a bandwidth trace", () => {
  test("a transfer takes what the trace has, and waits where it has nothing", () => {
    const traced = network({ ...exact, trace: { points } });
    expect(arrival(traced, 0.9e6)).toBeCloseTo(1, 9);
    expect(arrival(traced, 2.9e6)).toBeCloseTo(2.5, 9);
    expect(arrival(traced, 4e6, 3)).toBeCloseTo(4.1, 9);
    const { left } = traced.send(0, 1, bytes(4e6), seconds(3));
    expect(left).toBeCloseTo(4, 9);
  });

  test("ends the run when bytes are left at its end; empty messages need no bandwidth", () => {
    const ended =
      /"trace" of the link from node 0 to node 1 ends at 10 s, but at simulated time 10 s .*repeat=true/;
    const traced = network({ ...exact, trace: { points } });
    expect(() => arrival(traced, 4e6, 9.5)).toThrow(ended);
    expect(() => traced.time(ring(4, 1e6, 100), zeros(4))).toThrow(
      /ends at 10 s, but at simulated time 10 s/,
    );
    expect(arrival(traced, 0, 20)).toBeCloseTo(20.1, 9);
    expect(traced.hasEndingTrace).toBe(true);
    const repeated = network({ ...exact, trace: { points, repeat: true } });
    expect(arrival(repeated, 4e6, 9.5)).toBeCloseTo(12 + (4 - 1.6 - 1) / 4, 9);
    expect(repeated.hasEndingTrace).toBe(false);
  });

  test("says how the option that it was given by lets it repeat", () => {
    const trace = { points, name: "up.csv" };
    const between = network({ ...exact, topology: "islands", islandSize: 2, between: { trace } });
    expect(() => arrival(between, 1e9, 0, 1, 2)).toThrow("as by network.between.trace.repeat=true.");
    const links = [
      { from: 2, to: 3, latency: 1 },
      { from: 0, to: 1, trace },
    ];
    expect(() => arrival(network({ ...exact, links }), 1e9)).toThrow(
      'as by "trace":{"file":"up.csv","repeat":true} in network.links[1].',
    );
  });

  test("of one link, both ways or one way, and none where a bandwidth is given", () => {
    const constant = { ...exact, bandwidth: 2e6 };
    const both = network({ ...constant, links: [{ from: 1, to: 0, trace: { points, repeat: true } }] });
    expect([arrival(both, 1e6), arrival(both, 1e6, 0, 1, 0)].map((time) => time > 2)).toEqual([true, true]);
    expect(arrival(both, 1e6, 0, 0, 2)).toBeCloseTo(0.6, 9);
    const oneWay = network({ ...constant, links: [{ from: 1, to: 0, oneWay: true, trace: { points } }] });
    expect(arrival(oneWay, 1e6)).toBeCloseTo(0.6, 9);
    expect(arrival(oneWay, 1e6, 0, 1, 0)).toBeGreaterThan(2);
    expect(oneWay.hasEndingTrace).toBe(true);
    const own = network({ ...exact, trace: { points }, links: [{ from: 0, to: 1, bandwidth: 2e6 }] });
    expect(arrival(own, 1e6)).toBeCloseTo(0.6, 9);
    expect(arrival(own, 1e6, 0, 0, 2)).toBeGreaterThan(2);
    expect(own.hasEndingTrace).toBe(true);
  });

  test("of the links between islands", () => {
    const between = { latency: 0.1, jitter: 0, loss: 0, trace: { points } };
    const split = network({ ...exact, topology: "islands", bandwidth: 2e6, between });
    expect(arrival(split, 1e6, 0, 0, 1)).toBeCloseTo(0.6, 9);
    expect(arrival(split, 1e6, 0, 0, 2)).toBeGreaterThan(2);
    expect(split.config).toMatchObject({ between: { trace: { rows: 4 } } });
  });

  test("leaves what is drawn for latency, jitter and loss as it was; NICs let its highest value through", () => {
    const plain = network({ profile: "wan" });
    const traced = network({
      profile: "wan",
      trace: {
        points: [
          [0, 1e3],
          [1, 5e9],
          [2, 0],
        ],
        repeat: true,
      },
    });
    const { bandwidth: _, ...values } = plain.topology.link(0, 1)!;
    expect(traced.topology.link(0, 1)).toMatchObject(values);
    expect(traced.config).toMatchObject({ nic: 5e9 });
  });

  test("config.json says which, how long, how fast and how it goes on; without one nothing is said", () => {
    const trace: TraceOptions = { points, repeat: true, shift: true, name: "uplink.csv" };
    const summary = {
      name: "uplink.csv",
      rows: 4,
      length: 10,
      least: 0,
      mean: 3.3e6,
      most: 4e6,
      repeat: true,
      shift: true,
    };
    expect(network({ trace, background: { load: 0.2 } }).config).toMatchObject({
      trace: summary,
      background: { load: 0.2, interval: 1 },
    });
    expect(network({ links: [{ from: 0, to: 1, trace }] }).config).toMatchObject({
      links: [{ from: 0, to: 1, bandwidth: 3.3e6, trace: summary }],
    });
    for (const name of ["trace", "background"]) expect(network({}).config).not.toHaveProperty(name);
  });

  test.each<[NetworkOptions, string]>([
    [
      { trace: { points }, bandwidth: 1e6 },
      'Options "network.bandwidth" and "network.trace": give one of them',
    ],
    [
      { links: [{ from: 0, to: 1, bandwidth: 1, trace: { points } }] },
      'Options "network.links[0].bandwidth" and "network.links[0].trace": give one of them',
    ],
    [
      { topology: "islands", between: { trace: { points: [] } } },
      'Option "network.between.trace": expected two or more points',
    ],
    [
      { background: { load: 1 } },
      'Option "network.background.load": expected a part of each link from 0 to 0.99, got 1.',
    ],
    [
      { background: { load: 0.1, interval: 0 } },
      'Option "network.background.interval": expected seconds from 0.000001 on, got 0.',
    ],
    [
      { background: { load: 0.1, interval: 1e-300 } },
      'Option "network.background.interval": expected seconds from 0.000001 on, got 1e-300.',
    ],
    [
      {
        trace: {
          points: [
            [0, 1e6],
            [1e-9, 0],
          ],
          repeat: true,
        },
      },
      'Option "network.trace": expected a trace that repeats to take at least 0.000001 s for each of its 1 rows, got 1e-9 s',
    ],
  ])("bad input %j is refused", (options, message) => {
    expect(() => network(options)).toThrow(message);
  });
});

describe("what changes over time and what does not", () => {
  const sizes = fc.constantFrom(0, 1, 1e5, 3e6);
  const schedules = fc.record({
    size: sizes,
    rounds: fc.integer({ min: 1, max: 5 }),
    ready: fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }),
  });
  const close = (times: readonly Seconds[]): readonly number[] =>
    times.map((time) => expect.closeTo(time, 8));

  test("a trace that never changes is a bandwidth: with and without contention", () => {
    const steady: TraceOptions = {
      points: [
        [0, 2e6],
        [0.7, 2e6],
        [1.3, 0],
      ],
      repeat: true,
    };
    fc.assert(
      fc.property(
        schedules,
        fc.constantFrom("ring", "star", "fully_connected"),
        fc.nat(),
        ({ size, rounds, ready }, topology, seed) => {
          const options: NetworkOptions = { profile: "wan", topology: topology as never };
          const traced = network({ ...options, trace: steady }, 4, undefined, seed);
          const plain = network({ ...options, bandwidth: 2e6 }, 4, undefined, seed);
          for (let turn = 0; turn < 2; turn++)
            expect(traced.time(ring(4, size, rounds), ready.map(seconds))).toEqual(
              close(plain.time(ring(4, size, rounds), ready.map(seconds))),
            );
        },
      ),
    );
  });

  test("the recurrence and the flow simulation give the same times under traces and background traffic", () => {
    // A link that is in nobody's way goes down and comes up all the time: that rules the recurrence out.
    const elsewhere: Outages = {
      isUp: (a, b, at) => Math.min(a, b) !== 0 || Math.max(a, b) !== 2 || Math.floor(at * 64) % 2 === 0,
      nextChange: (at) => (Math.floor(at * 64) + 1) / 64,
    };
    fc.assert(
      fc.property(schedules, fc.nat(), ({ size, rounds, ready }, seed) => {
        const options: NetworkOptions = {
          profile: "wan",
          trace: { points, repeat: true, shift: true },
          background: { load: 0.4, interval: 0.3 },
        };
        const alone = network(options, 4, undefined, seed);
        const together = network(options, 4, elsewhere, seed);
        for (let turn = 0; turn < 2; turn++)
          expect(together.time(ring(4, size, rounds), ready.map(seconds))).toEqual(
            close(alone.time(ring(4, size, rounds), ready.map(seconds))),
          );
        expect(together.snapshot()).toEqual(alone.snapshot());
      }),
    );
  });

  test("outages that are not met change nothing", () => {
    const options: NetworkOptions = { profile: "wan", slowStart: true };
    const later = network(options, 4, downFor([[0, 1]], 1e6, 2e6));
    const never = network(options, 4);
    expect(later.time(ring(4, 1e6, 6), zeros(4))).toEqual(close(never.time(ring(4, 1e6, 6), zeros(4))));
  });

  test("a network goes on from a snapshot with the same times, to the last bit", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3e6)), { minLength: 2, maxLength: 10 }),
        fc.nat(9),
        (seed, messages, cut) => {
          const options: NetworkOptions = {
            profile: "mobile",
            slowStart: true,
            trace: { points, repeat: true, shift: true },
            background: { load: 0.5 },
          };
          const outages = downFor(
            [
              [0, 1],
              [2, 3],
            ],
            2,
            30,
          );
          const created = (): Network => network(options, 4, outages, seed);
          const send = (on: Network, from: number, to: number): readonly number[] =>
            messages.slice(from, to).flatMap(([source, target, size], i) => {
              const at = seconds(from + i);
              if (source === target) return on.time(ring(4, size, 2), new Array<Seconds>(4).fill(at));
              return on.transfer(source, target, bytes(size), at);
            });
          const whole = created();
          const times = send(whole, 0, messages.length);
          const first = created();
          send(first, 0, cut);
          const second = created();
          second.restore(JSON.parse(JSON.stringify(first.snapshot())) as ReturnType<Network["snapshot"]>);
          expect(send(second, cut, messages.length)).toEqual(
            times.slice(times.length - send(created(), cut, messages.length).length),
          );
          expect(second.snapshot()).toEqual(whole.snapshot());
        },
      ),
    );
  });
});

describe("a link that is down", () => {
  const options: NetworkOptions = { ...exact, topology: "ring", bandwidth: 1e6, nic: 1e9 };

  test("is gone round, with the latency of the detour; what is left in mid-transfer goes on over it", () => {
    const before = network(options, 4, downFor([[0, 1]], 0, 100));
    expect(arrival(before, 1e6)).toBeCloseTo(1.3, 9);
    const slowDetour = { ...options, links: [{ from: 2, to: 3, bandwidth: 0.5e6 }] };
    const meanwhile = network(slowDetour, 4, downFor([[0, 1]], 0.6, 100));
    expect(arrival(meanwhile, 1e6)).toBeCloseTo(0.6 + 1, 9);
    const back = network(slowDetour, 4, downFor([[0, 1]], 0.6, 1));
    expect(arrival(back, 1e6)).toBeCloseTo(1 + 0.3, 9);
  });

  test("is waited for where there is no detour, by empty messages too", () => {
    const cut = (): Network => network({ ...options, topology: "star" }, 4, downFor([[0, 1]], 0.5, 5));
    expect(arrival(cut(), 1e6)).toBeCloseTo(5 + 0.6, 9);
    expect(arrival(cut(), 1e6, 2)).toBeCloseTo(5 + 1.1, 9);
    expect(arrival(cut(), 0, 2)).toBeCloseTo(5.1, 9);
    expect(arrival(cut(), 0, 0.45)).toBeCloseTo(5, 9);
    expect(cut().time(ring(4, 1e6, 1), zeros(4))[2]).toBeCloseTo(5 + 0.7, 9);
  });

  test("for good: what can never arrive takes for ever, and so do those that wait for it", () => {
    const forGood = downFor([[0, 1]], 0.5, Number.POSITIVE_INFINITY);
    const star = network({ ...options, topology: "star" }, 4, forGood);
    expect(star.send(0, 1, bytes(1e6), seconds(0))).toEqual({
      left: Number.POSITIVE_INFINITY,
      arrived: Number.POSITIVE_INFINITY,
    });
    expect(arrival(star, 1, 7)).toBe(Number.POSITIVE_INFINITY);
    const infinite = Number.POSITIVE_INFINITY;
    const times = network({ ...options, topology: "star" }, 4, forGood).time(ring(4, 1e6, 1), zeros(4));
    expect(times.map((time) => time === infinite)).toEqual([true, true, true, false]);
    const never = zeros(4).map(() => seconds(infinite));
    expect(network(options, 4, forGood).time(ring(4, 1e6, 1), never)).toEqual(never);
    expect(arrival(network(options, 4, forGood), 1, infinite)).toBe(infinite);
    const flapping: Outages = { isUp: () => false, nextChange: (at) => at + 1 };
    expect(arrival(network(options, 4, flapping), 1)).toBe(infinite);
  });

  test("draws belong to the two ends, whatever the route", () => {
    const drawn = (outages?: Outages): Network => network({ profile: "wan", topology: "ring" }, 4, outages);
    const detoured = drawn(downFor([[0, 1]], 0, 10));
    arrival(detoured, 1e5);
    expect(detoured.snapshot()).toEqual({ 0: { 1: 1 } });
    const usual = drawn();
    arrival(usual, 1e5);
    expect(arrival(detoured, 1e5, 20)).toBeCloseTo(arrival(usual, 1e5, 20), 9);
  });
});
