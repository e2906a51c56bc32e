// Every schedule against two oracles: the published cost formula, and members that really hold vectors of their own and
// send, add and copy chunks round by round.

import { createRandom, type Rank, seconds } from "@atoll/core";
import { type Network, type NetworkOptions, resolveNetwork, TOPOLOGY_NAMES } from "@atoll/network";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Call, scheduleOf } from "../collective.ts";
import { evaluate, ordersOf, trace } from "../interpret.ts";
import type { Schedule } from "../schedule.ts";
import { execute } from "../test/execute.ts";

const ranksOf = (size: number): readonly Rank[] => Array.from({ length: size }, (_, rank) => rank);

const network = (options: NetworkOptions, worldSize: number): Network =>
  resolveNetwork({ jitter: 0, loss: 0, tcp: "none", ...options }, { worldSize, random: createRandom(1) });

const sizes = fc.integer({ min: 2, max: 9 });
const topologies = fc.constantFrom(...TOPOLOGY_NAMES.filter((name) => name !== "custom"));

const inputsOf = (lengths: readonly number[], seed: number): readonly Float32Array[] => {
  const random = createRandom(seed);
  return lengths.map((length) =>
    Float32Array.from({ length }, () => random.normal() * 10 ** random.integer(6)),
  );
};

function sentBy({ rounds, chunkBytes }: Schedule, members: number): readonly number[] {
  const sent = new Array<number>(members).fill(0);
  for (const { sources, chunks } of rounds())
    for (const [i, source] of sources.entries()) sent[source]! += chunkBytes[chunks[i]!]!;
  return sent;
}

/** Chunk by chunk in the orders given, [chunks, members]. */
function addedUp(inputs: readonly Float32Array[], starts: Int32Array, orders: Int32Array): Float32Array {
  return Float32Array.from(inputs[0]!, (_, i) => {
    const chunk = starts.findIndex((start) => start > i) - 1;
    const order = orders.subarray(chunk * inputs.length, (chunk + 1) * inputs.length);
    const [first, ...others] = Array.from(order, (member) => inputs[member]![i]!);
    return others.reduce((sum, x) => Math.fround(sum + x), first!);
  });
}

describe("values", () => {
  test("all-reduce: computed once, the bits are those of members that really exchange chunks, the same on each", () => {
    fc.assert(
      fc.property(sizes, fc.nat(40), topologies, fc.nat(), (size, length, topology, seed) => {
        const members = { ranks: ranksOf(size), topology: network({ topology }, size).topology };
        const schedule = scheduleOf({ operation: "allReduce", length, op: "sum" }, [], members);
        const inputs = inputsOf(new Array(size).fill(length), seed);
        const traced = trace(schedule);
        const results = evaluate(traced, inputs);
        expect(results.length).toBe(1);
        for (const vector of execute(schedule, inputs)) expect(vector).toEqual(results[0]);
        for (let i = 0; i < length; i++) {
          const sum = inputs.reduce((total, input) => total + input[i]!, 0);
          const scale = inputs.reduce((total, input) => total + Math.abs(input[i]!), 0);
          expect(Math.abs(results[0]![i]! - sum)).toBeLessThanOrEqual(size * 2 ** -24 * scale);
        }
        const orders = ordersOf(traced);
        expect(orders && addedUp(inputs, schedule.chunkStarts, orders)).toEqual(results[0]);
        // N − 1 additions a chunk, in one scratch vector.
        expect(traced.left.length).toBe((size - 1) * schedule.chunkBytes.length);
        expect(traced.lanes).toBe(1);
      }),
    );
  });

  test("all-reduces that add sums to sums have no order of members", () => {
    const members = { ranks: ranksOf(8), topology: network({}, 8).topology };
    for (const algorithm of ["recursive-doubling", "tree"] as const) {
      const call: Call = { operation: "allReduce", length: 9, op: "sum", algorithm };
      expect(ordersOf(trace(scheduleOf(call, [], members)))).toBeUndefined();
    }
  });

  test("broadcast: everyone ends with the root's vector", () => {
    fc.assert(
      fc.property(sizes, fc.nat(40), topologies, fc.nat(8), (size, length, topology, anyRoot) => {
        const root = anyRoot % size;
        const members = { ranks: ranksOf(size), topology: network({ topology }, size).topology };
        const schedule = scheduleOf({ operation: "broadcast", length, root }, [], members);
        const inputs = inputsOf(new Array(size).fill(length), 1);
        expect(evaluate(trace(schedule), inputs)).toEqual([inputs[root]]);
        for (const vector of execute(schedule, inputs)) expect(vector).toEqual(inputs[root]);
      }),
    );
  });

  test("all-gather: everyone ends with all parts, whatever their lengths", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10), { minLength: 2, maxLength: 9 }), topologies, (lengths, topology) => {
        const members = {
          ranks: ranksOf(lengths.length),
          topology: network({ topology }, lengths.length).topology,
        };
        const schedule = scheduleOf({ operation: "allGather", length: 0 }, lengths, members);
        const inputs = inputsOf(lengths, 2);
        expect(trace(schedule).results.map((names) => [...names])).toEqual([[...ranksOf(lengths.length)]]);
        const all = inputs.flatMap((input) => [...input]);
        for (const vector of execute(schedule, inputs)) expect([...vector]).toEqual(all);
      }),
    );
  });

  test("barrier: in the end a signal from everyone has reached everyone", () => {
    fc.assert(
      fc.property(sizes, topologies, (size, topology) => {
        const members = { ranks: ranksOf(size), topology: network({ topology }, size).topology };
        let heard = ranksOf(size).map((member) => new Set([member]));
        for (const { sources, targets } of scheduleOf(
          { operation: "barrier", length: 0 },
          [],
          members,
        ).rounds()) {
          const before = heard.map((set) => new Set(set));
          heard = before.map((set) => new Set(set));
          for (const [i, source] of sources.entries())
            for (const member of before[source]!) heard[targets[i]!]!.add(member);
        }
        for (const set of heard) expect(set.size).toBe(size);
      }),
    );
  });
});

describe("bytes", () => {
  test("are exact, also where the length is not divisible by the number of members", () => {
    fc.assert(
      fc.property(sizes, fc.nat(100), topologies, (size, length, topology) => {
        const members = { ranks: ranksOf(size), topology: network({ topology }, size).topology };
        const bytesOf = (call: Call): readonly number[] => {
          const schedule = scheduleOf(call, new Array(size).fill(length), members);
          expect([...trace(schedule).bytesSent]).toEqual(sentBy(schedule, size));
          return sentBy(schedule, size);
        };
        const total = (call: Call): number => bytesOf(call).reduce((sum, sent) => sum + sent, 0);
        const n = 4 * length;
        expect(total({ operation: "allReduce", length, op: "sum" })).toBe(2 * (size - 1) * n);
        expect(total({ operation: "broadcast", length, root: 0 })).toBe((size - 1) * n);
        expect(total({ operation: "allGather", length })).toBe((size - 1) * size * n);
        expect(total({ operation: "barrier", length: 0 })).toBe(0);
        // Each member of a ring sends two vectors less the chunks that it does not pass on.
        const chunk = (i: number): number => Math.floor((i * length) / size);
        const lengthOf = (i: number): number => chunk((i % size) + 1) - chunk(i % size);
        if (topology !== "star")
          expect(bytesOf({ operation: "allReduce", length, op: "sum" })).toEqual(
            ranksOf(size).map((rank) => 4 * (2 * length - lengthOf(rank + 1) - lengthOf(rank + 2))),
          );
      }),
    );
  });
});

describe("times, uncontended, against the formulas", () => {
  const latency = 0.02;
  const bandwidth = 1e7;
  const a = latency;
  const cases: readonly {
    readonly name: string;
    readonly topology: "fully_connected" | "ring" | "star";
    readonly call: (length: number) => Call;
    /** Seconds for `t` = nβ, the time of the whole vector on a link. */
    readonly cost: (N: number, t: number) => number;
  }[] = [
    ...(["fully_connected", "ring"] as const).map((topology) => ({
      name: "ring all-reduce",
      topology,
      call: (length: number): Call => ({ operation: "allReduce", length, op: "sum" }),
      cost: (N: number, t: number) => 2 * (N - 1) * a + ((2 * (N - 1)) / N) * t,
    })),
    {
      name: "star all-reduce",
      topology: "star",
      call: (length) => ({ operation: "allReduce", length, op: "sum" }),
      cost: (N, t) => 2 * a + 2 * (N - 1) * t,
    },
    ...(["fully_connected", "ring"] as const).map((topology) => ({
      name: "ring all-gather",
      topology,
      call: (length: number): Call => ({ operation: "allGather", length }),
      cost: (N: number, t: number) => (N - 1) * (a + t),
    })),
    {
      name: "tree broadcast",
      topology: "fully_connected",
      call: (length) => ({ operation: "broadcast", length, root: 1 }),
      cost: (N, t) => Math.ceil(Math.log2(N)) * (a + t),
    },
    {
      name: "pipelined ring broadcast",
      topology: "ring",
      call: (length) => ({ operation: "broadcast", length, root: 1 }),
      cost: (N, t) => (2 * N - 2) * (a + t / N),
    },
    {
      name: "star broadcast from the hub",
      topology: "star",
      call: (length) => ({ operation: "broadcast", length, root: 0 }),
      cost: (N, t) => a + (N - 1) * t,
    },
    {
      name: "star broadcast from a spoke",
      topology: "star",
      call: (length) => ({ operation: "broadcast", length, root: 1 }),
      cost: (N, t) => a + t + (N > 2 ? a + (N - 2) * t : 0),
    },
    {
      name: "dissemination barrier",
      topology: "fully_connected",
      call: () => ({ operation: "barrier", length: 0 }),
      cost: (N) => Math.ceil(Math.log2(N)) * a,
    },
    {
      name: "star barrier",
      topology: "star",
      call: () => ({ operation: "barrier", length: 0 }),
      cost: () => 2 * a,
    },
  ];

  test.each(cases)("$name on $topology", ({ topology, call, cost }) => {
    for (const N of [2, 3, 4, 7, 8, 16])
      for (const elements of [1, 1000, 1e6]) {
        // Formulas speak of equal chunks.
        const length = elements * N;
        const simulated = network({ topology, latency, bandwidth }, N);
        const members = { ranks: ranksOf(N), topology: simulated.topology };
        const schedule = scheduleOf(call(length), new Array(N).fill(length), members);
        const times = simulated.time(schedule, ranksOf(N).map(seconds));
        const fromLast = Math.max(
          ...simulated.time(
            schedule,
            ranksOf(N).map(() => seconds(0)),
          ),
        );
        expect(fromLast / cost(N, (4 * length) / bandwidth)).toBeCloseTo(1, 9);
        expect(Math.max(...times)).toBeGreaterThanOrEqual(fromLast);
      }
  });
});

test("on links with different values the slowest link of a ring sets the pace", () => {
  const N = 8;
  const simulated = network({ profile: "wan", topology: "ring" }, N);
  const length = 8e5;
  const schedule = scheduleOf({ operation: "allReduce", length, op: "sum" }, [], {
    ranks: ranksOf(N),
    topology: simulated.topology,
  });
  const rounds = 2 * (N - 1);
  const costs = ranksOf(N).map((rank) => {
    const link = simulated.topology.link(rank, (rank + 1) % N)!;
    return rounds * (link.latency + (4 * length) / N / link.bandwidth);
  });
  const time = Math.max(
    ...simulated.time(
      schedule,
      ranksOf(N).map(() => seconds(0)),
    ),
  );
  expect(time / Math.max(...costs)).toBeCloseTo(1, 9);
});
