import { bytes, createRandom, type Seconds, seconds } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Network, resolveNetwork } from "./network.ts";
import type { NetworkOptions } from "./options.ts";
import { PROFILE_NAMES } from "./profile.ts";
import type { TransferRound, TransferSchedule } from "./schedule.ts";
import { TOPOLOGY_NAMES } from "./topology/index.ts";

const network = (options: NetworkOptions, worldSize = 4, seed = 1): Network =>
  resolveNetwork(options, { worldSize, random: createRandom(seed) });

const exact = { jitter: 0, loss: 0 } as const;
const megabit: NetworkOptions = { ...exact, bandwidth: 125_000, latency: 0.01 };

/** A schedule from rounds of [source, target, bytes]. */
function scheduleOf(
  worldSize: number,
  rounds: readonly (readonly (readonly [number, number, number])[])[],
): TransferSchedule {
  const chunkBytes = Float64Array.from(rounds.flat(), ([, , size]) => size);
  let chunk = 0;
  const made: TransferRound[] = rounds.map((transfers) => ({
    sources: Int32Array.from(transfers, ([source]) => source),
    targets: Int32Array.from(transfers, ([, target]) => target),
    chunks: Int32Array.from(transfers, () => chunk++),
  }));
  return { ranks: Array.from({ length: worldSize }, (_, rank) => rank), chunkBytes, rounds: () => made };
}

/** Topologies that need no further option. */
const SELF_CONTAINED = TOPOLOGY_NAMES.filter((name) => name !== "custom");

const zeros = (count: number): readonly Seconds[] => Array.from({ length: count }, () => seconds(0));

test("SimGrid's LV08 example: 100 kB over 1 Mbit/s and 10 ms", () => {
  const lv08 = network({ ...megabit, tcp: "lv08" });
  expect(lv08.transfer(0, 1, bytes(100_000), seconds(0))).toBeCloseTo(0.1301 + 8e5 / (0.97e6 / 1.05), 9);
  expect(lv08.transfer(0, 1, bytes(100_000), seconds(0))).toBeCloseTo(0.996079, 6);
});

test.each(["none", "cm02"] as const)("the plain formula on the same link, %s", (tcp) => {
  expect(network({ ...megabit, tcp }).transfer(0, 1, bytes(100_000), seconds(5))).toBeCloseTo(5.81, 12);
});

test("the window bounds the rate where latency is long: window / (2 · latency)", () => {
  const options: NetworkOptions = { ...exact, bandwidth: 1e9, latency: 0.1 };
  const size = bytes(1e8);
  const rate = (4 * 1024 * 1024) / 0.2;
  expect(network(options).transfer(0, 1, size, seconds(0))).toBeCloseTo(0.1 + size / rate, 9);
  expect(network({ ...options, window: 1e6 }).transfer(0, 1, size, seconds(0))).toBeCloseTo(
    0.1 + size / 5e6,
    9,
  );
  expect(network({ ...options, tcp: "none" }).transfer(0, 1, size, seconds(0))).toBeCloseTo(0.2, 9);
});

test("a routed transfer adds the latencies and takes the least bandwidth on its way", () => {
  const star = network({ profile: "wan", ...exact, topology: "star", tcp: "none" });
  const [up, down] = star.topology.route(1, 2);
  const expected = up!.latency + down!.latency + 1e6 / Math.min(up!.bandwidth, down!.bandwidth);
  expect(star.transfer(1, 2, bytes(1e6), seconds(0))).toBeCloseTo(expected, 12);
});

test("incast and outcast: flows into or out of one node share its NIC, and a larger NIC relieves them", () => {
  const incast = scheduleOf(4, [[1, 2, 3].map((source) => [source, 0, 1e6] as const)]);
  const outcast = scheduleOf(4, [[1, 2, 3].map((target) => [0, target, 1e6] as const)]);
  const options: NetworkOptions = { ...exact, bandwidth: 1e6, latency: 0.5 };
  for (const schedule of [incast, outcast]) {
    expect(network(options).time(schedule, zeros(4))[0]).toBeCloseTo(3.5, 9);
    expect(network({ ...options, nic: 3e6 }).time(schedule, zeros(4))[0]).toBeCloseTo(1.5, 9);
  }
});

test("a member that is ready only after its messages have come is done when it is ready", () => {
  const incast = scheduleOf(3, [[1, 2].map((source) => [source, 0, 1e6] as const), [[0, 1, 1e6]]]);
  const options: NetworkOptions = { ...exact, bandwidth: 1e6, latency: 0.5 };
  expect(network(options, 3).time(incast, [seconds(10), seconds(0), seconds(0)])).toEqual([11.5, 11.5, 2.5]);
});

test("both directions of a link have the full bandwidth", () => {
  const exchange = scheduleOf(2, [
    [
      [0, 1, 1e6],
      [1, 0, 1e6],
    ],
  ]);
  expect(network({ ...exact, bandwidth: 1e6, latency: 0.5 }, 2).time(exchange, zeros(2))).toEqual([1.5, 1.5]);
});

test("a flow that ends leaves its share to the others, and latency is paid before a share is taken", () => {
  const incast = scheduleOf(3, [
    [
      [1, 0, 1e6],
      [2, 0, 3e6],
    ],
  ]);
  const options: NetworkOptions = { ...exact, bandwidth: 1e6, latency: 0.25 };
  expect(network(options, 3).time(incast, zeros(3))).toEqual([4.25, 2.25, 4.25]);
  // Rank 1 begins at 2.25 s, when rank 2 has moved 2 MB; then each moves 1 MB at half the rate.
  expect(network(options, 3).time(incast, [seconds(0), seconds(2), seconds(0)])).toEqual([4.25, 4.25, 4.25]);
});

/** Rounds in which every rank sends to the next: nobody ever shares anything. */
const rings = fc.integer({ min: 2, max: 6 }).chain((worldSize) =>
  fc.record({
    worldSize: fc.constant(worldSize),
    rounds: fc.array(fc.array(fc.nat(1e6), { minLength: worldSize, maxLength: worldSize }), { maxLength: 5 }),
    ready: fc.array(fc.double({ min: 0, max: 3, noNaN: true }), {
      minLength: worldSize,
      maxLength: worldSize,
    }),
  }),
);

test("the recurrence and the flow simulation agree where both apply", () => {
  fc.assert(
    fc.property(rings, fc.constantFrom(...PROFILE_NAMES), ({ worldSize, rounds, ready }, profile) => {
      const around = rounds.map((sizes) =>
        sizes.map((size, rank) => [rank, (rank + 1) % worldSize, size] as const),
      );
      // Three more nodes, two of which send to the third at once, make the network time all of it flow by flow.
      const incast = [worldSize, worldSize + 1].map((source) => [source, worldSize + 2, 1000] as const);
      const times = ready as Seconds[];
      const byRecurrence = network({ profile }, worldSize).time(scheduleOf(worldSize, around), times);
      const byFlows = network({ profile }, worldSize + 3).time(
        scheduleOf(worldSize + 3, [incast, ...around]),
        [...times, ...zeros(3)],
      );
      for (const [rank, time] of byRecurrence.entries()) expect(byFlows[rank]).toBeCloseTo(time, 9);
    }),
  );
});

test("the same seed gives the same times; a restored network goes on with the same draws", () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...SELF_CONTAINED), (seed, topology) => {
      const make = (): Network => network({ profile: "mobile", topology }, 4, seed);
      const send = (on: Network): readonly number[] =>
        [1, 2, 3].flatMap((target) =>
          [0, target - 1].map((source) => on.transfer(source, target, bytes(1e5), seconds(0))),
        );
      const first = make();
      const before = send(first);
      const saved = JSON.parse(JSON.stringify(first.snapshot()));
      const after = send(first);
      const second = make();
      expect(send(second)).toEqual(before);
      second.restore({});
      expect(send(second)).toEqual(before);
      const third = make();
      third.restore(saved);
      expect(send(third)).toEqual(after);
      expect(after).not.toEqual(before);
    }),
    { numRuns: 20 },
  );
});

test("one pair's draws do not depend on another pair's traffic", () => {
  const quiet = network({ profile: "poor" });
  const busy = network({ profile: "poor" });
  for (let i = 0; i < 5; i++) busy.transfer(2, 3, bytes(1e6), seconds(0));
  expect(busy.transfer(0, 1, bytes(1e6), seconds(0))).toBe(quiet.transfer(0, 1, bytes(1e6), seconds(0)));
});

test("jitter stays within its share of the latency, and loss only ever delays", () => {
  const jittery = network({ latency: 1, jitter: 0.3, loss: 0, bandwidth: 1e6, tcp: "none" });
  const lossy = network({ latency: 1, jitter: 0, loss: 0.2, bandwidth: 1e6, tcp: "none" });
  const times = Array.from({ length: 500 }, () => jittery.transfer(0, 1, bytes(0), seconds(0)));
  expect(Math.min(...times)).toBeGreaterThanOrEqual(0.7);
  expect(Math.max(...times)).toBeLessThanOrEqual(1.3);
  expect(times.reduce((sum, time) => sum + time, 0) / times.length).toBeCloseTo(1, 1);
  for (let i = 0; i < 100; i++) {
    // Ten packets: each round of retransmission costs a round trip of 2 s, and each packet its time on the wire again.
    const late = lossy.transfer(0, 1, bytes(14_480), seconds(0)) - 1.01448;
    const rounds = Math.floor(late / 2 + 1e-9);
    const packets = (late - 2 * rounds) / 0.001448;
    expect(packets).toBeCloseTo(Math.round(packets), 6);
    expect(packets).toBeGreaterThan(rounds - 1e-6);
    expect(packets).toBeLessThan(10 * rounds + 1e-6);
  }
});

test("the report gets the links up to 64 nodes, and config.json every option that decides the times", () => {
  const small = network({ profile: "wan", topology: "star" }, 5).describe();
  expect(small).toMatchObject({ type: "topology", topology: "star", profile: "wan", nodes: 5 });
  expect(small.links.map(({ source, target }) => [source, target])).toEqual(
    [1, 2, 3, 4].map((rank) => [0, rank]),
  );
  expect(network({}, 1000).describe().links).toEqual([]);
  expect(network({ profile: "wan", nic: 5e6, tcp: "lv08" }).config).toMatchObject({
    profile: "wan",
    bandwidth: [10e6, 100e6],
    nic: 5e6,
    tcp: "lv08",
    window: 4194304,
    latencyFactor: 13.01,
  });
});

test.each([
  [{ profile: "vvan" as never }, 'Unknown network profile "vvan". Did you mean "wan"?'],
  [{ topology: "rings" as never }, 'Unknown topology "rings". Did you mean "ring"?'],
  [{ tcp: "cm2" as never }, 'Unknown TCP mode "cm2". Did you mean "cm02"?'],
  [{ bandwidth: 0 }, 'Option "network.bandwidth": expected bytes per second above 0, got 0.'],
  [{ loss: 1 }, 'Option "network.loss": expected a probability from 0 to 0.9, got 1.'],
  [{ jitter: [0, 0.5] as const }, "expected a range [low, high] with 0 < low ≤ high, got [0,0.5]."],
  [{ nic: -1 }, 'Option "network.nic": expected bytes per second above 0, got -1.'],
])("bad input %j is refused", (options, message) => {
  expect(() => network(options)).toThrow(message);
});

describe("links with values of their own", () => {
  const time = (options: NetworkOptions, source: number, target: number): number =>
    network({ ...exact, bandwidth: 1e6, latency: 0.1, tcp: "none", ...options }).transfer(
      source,
      target,
      bytes(1e6),
      seconds(0),
    );

  test("replace what was drawn, both ways or one way, and leave the others as they were", () => {
    const links = [
      { from: 1, to: 0, bandwidth: 0.5e6 },
      { from: 2, to: 3, latency: 0.4, oneWay: true },
    ];
    expect(time({ links }, 0, 1)).toBeCloseTo(2.1, 9);
    expect(time({ links }, 1, 0)).toBeCloseTo(2.1, 9);
    expect(time({ links }, 2, 3)).toBeCloseTo(1.4, 9);
    expect(time({ links }, 3, 2)).toBeCloseTo(1.1, 9);
    const wan: NetworkOptions = { profile: "wan" };
    const some = network({ ...wan, links }).topology;
    expect(some.link(0, 2)).toEqual(network(wan).topology.link(0, 2));
    expect(some.link(0, 1)).toEqual({ ...network(wan).topology.link(0, 1), bandwidth: 0.5e6 });
  });

  test("of both directions and of one go together, and none is given twice", () => {
    const both = { from: 0, to: 1, bandwidth: 0.5e6 };
    const links = [both, { from: 1, to: 0, latency: 0.4, oneWay: true }];
    for (const given of [links, links.toReversed()]) {
      expect(time({ links: given }, 0, 1)).toBeCloseTo(2.1, 9);
      expect(time({ links: given }, 1, 0)).toBeCloseTo(2.4, 9);
    }
    expect(() => network({ links: [both, { from: 1, to: 0, bandwidth: 1e6, oneWay: true }] })).toThrow(
      'Option "network.links[1].bandwidth": expected each value of a direction of a link once, got another one from node 1 to node 0.',
    );
  });

  test("a route on which hardly a packet gets through is refused when it is needed", () => {
    const ring = network({ topology: "ring", loss: 0.9 }, 10);
    expect(ring.transfer(0, 2, bytes(1e4), seconds(0))).toBeGreaterThan(0);
    expect(() => ring.transfer(0, 5, bytes(1e4), seconds(0))).toThrow(
      'Option "network.loss": the 5 links from node 0 to node 5 lose 99.999 % of all packets together',
    );
  });

  test("a link that is faster than all others is not slowed by the NICs' default", () => {
    expect(time({ links: [{ from: 0, to: 1, bandwidth: 4e6 }] }, 0, 1)).toBeCloseTo(0.35, 9);
  });

  test("the report shows both directions where they differ", () => {
    const links = [{ from: 2, to: 1, loss: 0.5, oneWay: true }];
    const described = network({ ...exact, links }, 3).describe().links;
    expect(described.map(({ source, target, loss }) => [source, target, loss])).toEqual([
      [0, 1, 0],
      [0, 2, 0],
      [1, 2, 0],
      [2, 1, 0.5],
    ]);
  });

  test("a node may send slower than it receives", () => {
    const nic = { up: 0.25e6, down: 1e6 };
    expect(time({ nic }, 0, 1)).toBeCloseTo(4.1, 9);
    const incast = scheduleOf(4, [[1, 2, 3].map((source) => [source, 0, 1e6] as const)]);
    const asymmetric = network({ ...exact, bandwidth: 1e6, latency: 0.1, tcp: "none", nic });
    expect(asymmetric.time(incast, zeros(4))[0]).toBeCloseTo(4.1, 9);
    expect(asymmetric.config).toMatchObject({ nic });
  });

  test("islands: one profile inside, another between, both in config.json", () => {
    const options: NetworkOptions = {
      profile: "datacenter",
      topology: "islands",
      islandSize: 2,
      between: { profile: "mobile", latency: 0.3 },
    };
    const mixed = network(options);
    expect(mixed.topology.link(0, 1)!.bandwidth).toBeGreaterThanOrEqual(100e6);
    expect(mixed.topology.link(1, 2)).toMatchObject({ latency: 0.3 });
    expect(mixed.topology.link(1, 2)!.bandwidth).toBeLessThanOrEqual(10e6);
    expect(mixed.config).toMatchObject({
      topology: "islands",
      islandSize: 2,
      between: { profile: "mobile", latency: [0.3, 0.3] },
      nic: 1000e6,
    });
  });

  test.each([
    [
      { links: [{ from: 0, to: 4 }] },
      'Option "network.links[0]": expected from and to, two different nodes from 0 to 3',
    ],
    [{ links: [{ from: 0, to: 1, loss: 1 }] }, 'Option "network.links[0].loss": expected a probability'],
    [
      { topology: "star" as const, links: [{ from: 1, to: 2 }] },
      "nodes 1 and 2 share no link in the topology star",
    ],
    [{ between: {} }, 'Option "network.between" does not go with the topology fully_connected.'],
    [
      { topology: "islands" as const, between: { latency: -1 } },
      'Option "network.between.latency": expected seconds ≥ 0, got -1.',
    ],
    [{ nic: { up: 0, down: 1 } }, 'Option "network.nic.up": expected bytes per second above 0, got 0.'],
  ])("bad input %j is refused", (options, message) => {
    expect(() => network(options)).toThrow(message);
  });
});

test("a schedule whose sizes or times are no numbers is refused, shared or not, and not timed for ever", () => {
  const lone = [[0, 1]] as const;
  const shared = [
    [0, 2],
    [1, 2],
  ] as const;
  for (const pairs of [lone, shared]) {
    const withSize = (size: number): TransferSchedule =>
      scheduleOf(4, [pairs.map(([source, target]) => [source, target, size] as const)]);
    for (const size of [Number.NaN, -1, Number.POSITIVE_INFINITY])
      expect(() => network(exact).time(withSize(size), zeros(4))).toThrow(
        `chunk 0 of a schedule has ${size} bytes`,
      );
    const ready = [seconds(0), seconds(Number.NaN), seconds(0), seconds(0)];
    expect(() => network(exact).time(withSize(1), ready)).toThrow(
      "member 1 of a schedule is ready at no time",
    );
    const outside = { ...withSize(1), chunkBytes: new Float64Array(0) };
    if (pairs === shared)
      expect(() => network(exact).time(outside, zeros(4))).toThrow("a transfer of undefined bytes");
  }
});
