// All-reduce by every algorithm, and the collectives that move parts: values against members that really exchange chunks,
// bytes exact, times against the published costs.

import { createRandom, type Rank, seconds } from "@atoll/core";
import { type Network, type NetworkOptions, resolveNetwork, type TopologyName } from "@atoll/network";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { int8 } from "../codecs/int8.ts";
import { type Call, scheduleOf } from "../collective.ts";
import { evaluate, trace } from "../interpret.ts";
import { bytesSentBy, type Schedule } from "../schedule.ts";
import { execute } from "../test/execute.ts";
import { ALL_REDUCE_ALGORITHMS, type AllReduceAlgorithm, type AllReduceChoice } from "./allReduce.ts";
import { hierarchicalAllReduce } from "./hierarchicalAllReduce.ts";

const ranksOf = (size: number): readonly Rank[] => Array.from({ length: size }, (_, rank) => rank);

const network = (options: NetworkOptions, worldSize: number): Network =>
  resolveNetwork({ jitter: 0, loss: 0, tcp: "none", ...options }, { worldSize, random: createRandom(1) });

const reduce = (length: number, algorithm: AllReduceChoice): Call => ({
  operation: "allReduce",
  length,
  op: "sum",
  algorithm,
});

function planned(call: Call, simulated: Network, lengths: readonly number[] = []): Schedule {
  const ranks = ranksOf(simulated.topology.worldSize);
  const tryOut = simulated.tryOut.bind(simulated);
  return scheduleOf(call, lengths, { ranks, topology: simulated.topology, tryOut });
}

function duration(schedule: Schedule, simulated: Network): number {
  const start = schedule.ranks.map(() => seconds(0));
  return Math.max(...simulated.time(schedule, start));
}

const inputsOf = (lengths: readonly number[], seed: number): readonly Float32Array[] => {
  const random = createRandom(seed);
  return lengths.map((length) =>
    Float32Array.from({ length }, () => random.normal() * 10 ** random.integer(6)),
  );
};

const powers = fc.constantFrom(2, 4, 8, 16);
const total = (values: Iterable<number>): number => [...values].reduce((sum, value) => sum + value, 0);

function expectReduced(schedule: Schedule, inputs: readonly Float32Array[]): void {
  const results = evaluate(trace(schedule), inputs);
  expect(results.length).toBe(1);
  const executed = execute(schedule, inputs);
  for (const vector of executed) expect(vector).toEqual(results[0]);
  for (const [i, value] of results[0]!.entries()) {
    const sum = inputs.reduce((partial, input) => partial + input[i]!, 0);
    const scale = inputs.reduce((partial, input) => partial + Math.abs(input[i]!), 0);
    expect(Math.abs(value - sum)).toBeLessThanOrEqual(inputs.length * 2 ** -24 * scale);
  }
}

describe("all-reduce", () => {
  test.each(ALL_REDUCE_ALGORITHMS)(
    "%s: all members end with the same sum, bit for bit as executed",
    (algorithm) => {
      fc.assert(
        fc.property(powers, fc.nat(40), fc.nat(), (size, length, seed) => {
          const simulated = network({}, size);
          expectReduced(
            planned(reduce(length, algorithm), simulated),
            inputsOf(new Array(size).fill(length), seed),
          );
        }),
      );
    },
  );

  test("a tree serves any number of members", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.nat(9), (size, length) => {
        expectReduced(
          planned(reduce(length, "tree"), network({}, size)),
          inputsOf(new Array(size).fill(length), 1),
        );
      }),
    );
  });

  test("hierarchical: any number of islands of any size, whatever the order of their members", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(50),
        fc.nat(),
        (m, s, length, seed) => {
          const simulated = network({}, m * s);
          const order = [...createRandom(seed).permutation(m * s)];
          const islands = Array.from({ length: m }, (_, i) => order.slice(i * s, (i + 1) * s));
          const { topology } = simulated;
          const schedule = hierarchicalAllReduce({ ranks: ranksOf(m * s), topology, length, islands });
          expectReduced(schedule, inputsOf(new Array(m * s).fill(length), seed));
          expect(total(bytesSentBy(schedule))).toBe(2 * (m * s - 1) * 4 * length);
        },
      ),
    );
  });

  test("recursive doubling computes each sum once for both partners", () => {
    const traced = trace(planned(reduce(10, "recursive-doubling"), network({}, 16)));
    expect(traced.left.length).toBe(15);
    expect(traced.results.length).toBe(1);
  });

  test("bytes are exact", () => {
    fc.assert(
      fc.property(powers, fc.nat(100), (size, length) => {
        const n = 4 * length;
        const bytes = (algorithm: AllReduceAlgorithm): number =>
          total(bytesSentBy(planned(reduce(length, algorithm), network({}, size))));
        for (const algorithm of ["ring", "halving-doubling", "tree", "star"] as const)
          expect(bytes(algorithm)).toBe(2 * (size - 1) * n);
        expect(bytes("recursive-doubling")).toBe(size * Math.log2(size) * n);
      }),
    );
  });

  const a = 0.02;
  const bandwidth = 1e7;
  const costs: Readonly<
    Record<Exclude<AllReduceAlgorithm, "hierarchical">, (N: number, t: number) => number>
  > = {
    ring: (N, t) => 2 * (N - 1) * a + ((2 * (N - 1)) / N) * t,
    "halving-doubling": (N, t) => 2 * Math.log2(N) * a + ((2 * (N - 1)) / N) * t,
    "recursive-doubling": (N, t) => Math.log2(N) * (a + t),
    tree: (N, t) => 2 * Math.log2(N) * (a + t),
    star: (N, t) => 2 * a + 2 * (N - 1) * t,
  };

  test.each(Object.keys(costs) as (keyof typeof costs)[])("%s: uncontended time and tryOut", (algorithm) => {
    for (const N of [2, 4, 8, 16, 64])
      for (const elements of [1, 1000, 1e5]) {
        const length = elements * N;
        const simulated = network({ latency: a, bandwidth }, N);
        const schedule = planned(reduce(length, algorithm), simulated);
        const expected = costs[algorithm](N, (4 * length) / bandwidth);
        expect(duration(schedule, simulated) / expected).toBeCloseTo(1, 9);
        expect(simulated.tryOut(schedule) / expected).toBeCloseTo(1, 9);
      }
  });

  test("auto takes the cheapest by the formulas and says which", () => {
    const choice = (length: number, size: number, topology: TopologyName = "fully_connected"): string =>
      planned(reduce(length, "auto"), network({ latency: a, bandwidth, topology }, size)).algorithm;
    expect(choice(1, 16)).toBe("star (auto)");
    expect(choice(4000, 16)).toBe("recursive-doubling (auto)");
    expect(choice(1e7, 16)).toBe("halving-doubling (auto)");
    expect(choice(1e7, 15)).toBe("ring (auto)");
    expect(choice(1e7, 16, "ring")).toBe("ring (auto)");
    expect(choice(1e5, 16, "star")).toBe("star (auto)");
  });

  test.each<readonly [TopologyName, number, number]>([
    ["islands", 6, 1e7],
    ["islands", 4, 1e6],
    ["star", 8, 1e6],
    ["star", 6, 1e7],
    ["ring", 8, 1e6],
    ["fully_connected", 4, 1e6],
    ["fully_connected", 16, 1e5],
  ])(
    "auto takes one that links and chance make fast, too: %s, %i nodes, %i floats",
    (topology, size, length) => {
      const island = topology === "islands" ? { islandSize: size / 2 } : {};
      for (const profile of ["wan", "mobile", "datacenter"] as const)
        for (const seed of [0, 1, 2]) {
          const world = { worldSize: size, random: createRandom(seed) };
          const drawn = (): Network => resolveNetwork({ profile, topology, ...island }, world);
          const times = new Map<string, number>();
          for (const algorithm of ALL_REDUCE_ALGORITHMS) {
            const simulated = drawn();
            const schedule = planned(reduce(length, algorithm), simulated);
            if (schedule.algorithm !== algorithm) continue;
            times.set(algorithm, total(Array.from({ length: 30 }, () => duration(schedule, simulated))) / 30);
          }
          const chosen = planned(reduce(length, "auto"), drawn()).algorithm.replace(" (auto)", "");
          const note = `${profile}, seed ${seed}: ${chosen} of ${JSON.stringify([...times])}`;
          expect(times.get(chosen), note).toBeLessThan(1.1 * Math.min(...times.values()));
        }
    },
  );

  test("trying algorithms out leaves a run's own draws as they are, and ends the same each time", () => {
    const world = { worldSize: 6, random: createRandom(4) };
    const [tried, fresh] = [1, 2].map(() => resolveNetwork({ profile: "mobile", topology: "ring" }, world));
    const schedule = planned(reduce(1e5, "ring"), fresh!);
    expect(tried!.tryOut(schedule)).toBe(tried!.tryOut(schedule));
    expect(tried!.snapshot()).toEqual({});
    for (let call = 0; call < 3; call++) expect(duration(schedule, tried!)).toBe(duration(schedule, fresh!));
  });

  test("hierarchical on islands: the cost of two levels, which auto finds", () => {
    const [m, s, inner, outer] = [4, 8, 1e-3, 0.05];
    const quiet = network(
      {
        topology: "islands",
        islandSize: s,
        bandwidth: 1e9,
        latency: inner,
        between: { bandwidth: 1e7, latency: outer, jitter: 0, loss: 0 },
      },
      m * s,
    );
    const length = 32 * 1e5;
    const n = 4 * length;
    const cost = 2 * (s - 1) * (inner + n / s / 1e9) + 2 * (m - 1) * (outer + n / s / m / 1e7);
    const schedule = planned(reduce(length, "hierarchical"), quiet);
    expect(duration(schedule, quiet) / cost).toBeCloseTo(1, 9);
    expect(planned(reduce(length, "auto"), quiet).algorithm).toBe("hierarchical (auto)");
    expect(
      planned(reduce(1, "hierarchical"), network({ topology: "islands", islandSize: 3 }, 5)).fallback,
    ).toBe("All-reduce among 5 ranks goes by ring: hierarchical needs as many members of each island.");
  });

  test("what cannot be served goes by the topology's own algorithm and says so", () => {
    const schedule = planned(reduce(10, "halving-doubling"), network({}, 6));
    expect(schedule.algorithm).toBe("ring (halving-doubling needs a power of two, not 6 members)");
    expect(schedule.fallback).toBe(
      "All-reduce among 6 ranks goes by ring: halving-doubling needs a power of two, not 6 members.",
    );
    expect(planned(reduce(10, "hierarchical"), network({ topology: "star" }, 4)).algorithm).toBe(
      "star (hierarchical needs islands, not the topology star)",
    );
    expect(() => planned(reduce(1, "rinq" as never), network({}, 2))).toThrow(
      'Unknown all-reduce algorithm "rinq". Did you mean "ring"?',
    );
  });
});

describe("parts", () => {
  test("reduce-scatter: every member ends with its own shard of the sum, for half the bytes and time of a ring", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.nat(40), fc.nat(), (size, length, seed) => {
        const simulated = network({ latency: 0.5, bandwidth: 1e3 }, size);
        const schedule = planned({ operation: "reduceScatter", length, op: "sum" }, simulated);
        const inputs = inputsOf(new Array(size).fill(length), seed);
        const [sum] = evaluate(trace(schedule), inputs);
        const starts = schedule.chunkStarts;
        for (const [member, vector] of execute(schedule, inputs).entries())
          expect(vector.subarray(starts[member], starts[member + 1])).toEqual(
            sum!.subarray(starts[member], starts[member + 1]),
          );
        expect(total(bytesSentBy(schedule))).toBe((size - 1) * 4 * length);
        if (length % size === 0)
          expect(duration(schedule, simulated)).toBeCloseTo(
            (size - 1) * (0.5 + (4 * length) / size / 1e3),
            9,
          );
      }),
    );
  });

  test("all-to-all: every part reaches its member, whatever the lengths", () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 2, max: 6 })
          .chain((size) =>
            fc.tuple(
              fc.constant(size),
              fc.array(fc.nat(9), { minLength: size * size, maxLength: size * size }),
            ),
          ),
        ([size, lengths]) => {
          const schedule = planned({ operation: "allToAll", length: 0 }, network({}, size), lengths);
          const rows = ranksOf(size).map((source) => lengths.slice(source * size, (source + 1) * size));
          const inputs = inputsOf(rows.map(total), 3);
          const executed = execute(schedule, inputs);
          const starts = schedule.chunkStarts;
          for (let source = 0; source < size; source++)
            for (let target = 0; target < size; target++) {
              const pair = source * size + target;
              const part = executed[target]!.subarray(starts[pair], starts[pair + 1]);
              const offset = starts[source * size]!;
              expect(part).toEqual(
                inputs[source]!.subarray(starts[pair]! - offset, starts[pair + 1]! - offset),
              );
            }
          expect([...bytesSentBy(schedule)]).toEqual(
            rows.map((row, source) => 4 * (total(row) - row[source]!)),
          );
        },
      ),
    );
  });

  test("all-to-all of equal parts takes (N−1)(α + mβ)", () => {
    const simulated = network({ latency: 0.5, bandwidth: 1e3 }, 5);
    const schedule = planned({ operation: "allToAll", length: 0 }, simulated, new Array(25).fill(100));
    expect(duration(schedule, simulated)).toBeCloseTo(4 * (0.5 + 0.4), 9);
  });

  test("gather: the root ends with all parts, whose messages share its NIC", () => {
    const simulated = network({ latency: 0.5, bandwidth: 1e3 }, 4);
    const lengths = [100, 50, 200, 25];
    const schedule = planned({ operation: "gather", length: 0, root: 2 }, simulated, lengths);
    const inputs = inputsOf(lengths, 1);
    expect([...execute(schedule, inputs)[2]!]).toEqual(inputs.flatMap((input) => [...input]));
    expect([...bytesSentBy(schedule)]).toEqual([400, 200, 0, 100]);
    expect(duration(schedule, simulated)).toBeCloseTo(0.5 + 0.7, 9);
  });

  test("a coded all-reduce sends two encoded vectors less the members' own shards, and takes as long as that", () => {
    const size = 4;
    const length = 4096;
    const codec = int8();
    const simulated = network({ latency: 0.5, bandwidth: 1e3 }, size);
    const schedule = planned({ operation: "allReduce", length, op: "mean", codec }, simulated);
    const shard = codec.bytes(length / size);
    expect([...bytesSentBy(schedule)]).toEqual(new Array(size).fill(2 * (size - 1) * shard));
    expect(duration(schedule, simulated)).toBeCloseTo(2 * (size - 1) * (0.5 + shard / 1e3), 9);
    expect(schedule.algorithm).toBe("all-to-all and ring, int8/256");
  });
});
