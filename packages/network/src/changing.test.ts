// Networks whose links change over time, against a brute-force simulation in small steps that shares no code with them.

import { bytes, createRandom, type Rank, type Seconds, seconds } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Detours } from "./detours.ts";
import { createLinkTable } from "./link.ts";
import { type Network, resolveNetwork } from "./network.ts";
import type { Outages } from "./outages.ts";
import { PROFILES } from "./profile.ts";
import type { TransferSchedule } from "./schedule.ts";
import { custom, type Edge } from "./topology/custom.ts";
import type { TracePoint } from "./trace.ts";

/** All that changes does so at multiples of this: the brute force stops at each. */
const TICK = 0.25;

interface Downtime {
  readonly edge: number;
  readonly from: number;
  readonly until: number;
}

/** A small world: a connected graph, a trace for each edge, and times at which edges are down. */
interface Example {
  readonly nodes: number;
  readonly edges: readonly Edge[];
  /** Bandwidth of each edge during each tick, over and over. */
  readonly bandwidths: readonly (readonly number[])[];
  readonly downtimes: readonly Downtime[];
  readonly transfers: readonly { readonly source: Rank; readonly target: Rank; readonly size: number }[];
  readonly ready: readonly number[];
  readonly nic: number;
}

const ticks = (most: number): fc.Arbitrary<number> => fc.nat(most).map((count) => count * TICK);

const examples: fc.Arbitrary<Example> = fc.integer({ min: 2, max: 5 }).chain((nodes) => {
  const rank = fc.nat(nodes - 1);
  const spanning = fc.tuple(...Array.from({ length: nodes - 1 }, (_, i) => fc.nat(i)));
  return fc
    .tuple(spanning, fc.array(fc.tuple(rank, rank), { maxLength: 5 }))
    .map(([parents, more]) => {
      const pairs = [...parents.map((parent, i) => [parent, i + 1]), ...more.filter(([a, b]) => a !== b)];
      const sorted = pairs.map(([a, b]) => [Math.min(a!, b!), Math.max(a!, b!)].join());
      return [...new Set(sorted)].map((edge) => edge.split(",").map(Number) as unknown as Edge);
    })
    .chain((edges) =>
      fc.record({
        nodes: fc.constant(nodes),
        edges: fc.constant(edges),
        bandwidths: fc.tuple(
          ...edges.map(() =>
            fc
              .array(fc.constantFrom(0, 1, 2, 5, 10), { minLength: 1, maxLength: 6 })
              .filter((row) => row.some((value) => value > 0)),
          ),
        ),
        downtimes: fc.array(
          fc
            .record({ edge: fc.nat(edges.length - 1), from: ticks(40), length: ticks(20) })
            .map(({ edge, from, length }) => ({ edge, from, until: from + TICK + length })),
          { maxLength: 6 },
        ),
        transfers: fc.array(
          fc
            .record({ source: rank, target: rank, size: fc.nat(20) })
            .filter(({ source, target }) => source !== target),
          { minLength: 1, maxLength: 6 },
        ),
        ready: fc.array(ticks(8), { minLength: nodes, maxLength: nodes }),
        nic: fc.constantFrom(3, 100),
      }),
    );
});

const outagesOf = ({ edges, downtimes }: Pick<Example, "edges" | "downtimes">): Outages => ({
  isUp: (a, b, at) =>
    downtimes.every(({ edge, from, until }) => {
      const [low, high] = edges[edge]!;
      return Math.min(a, b) !== low || Math.max(a, b) !== high || at < from || at >= until;
    }),
  nextChange: (at) =>
    downtimes
      .flatMap(({ from, until }) => [from, until])
      .reduce((next, time) => (time > at ? Math.min(next, time) : next), Number.POSITIVE_INFINITY),
});

const traceOf = (row: readonly number[]): readonly TracePoint[] =>
  [...row, 0].map((value, i) => [i * TICK, value]);

/** Latency 0: the moments at which bytes begin to move are then ticks too. */
const networkOf = ({ nodes, edges, bandwidths, nic, ...rest }: Example, withOutages: boolean): Network =>
  resolveNetwork(
    {
      topology: "custom",
      edges,
      latency: 0,
      jitter: 0,
      loss: 0,
      nic,
      links: edges.map(([from, to], i) => ({
        from,
        to,
        trace: { points: traceOf(bandwidths[i]!), repeat: true },
      })),
    },
    {
      worldSize: nodes,
      random: createRandom(1),
      ...(withOutages ? { outages: outagesOf({ edges, ...rest }) } : {}),
    },
  );

const oneRound = ({ nodes, transfers }: Example): TransferSchedule => ({
  ranks: Array.from({ length: nodes }, (_, rank) => rank),
  chunkBytes: Float64Array.from(transfers, ({ size }) => size),
  rounds: () => [
    {
      sources: Int32Array.from(transfers, ({ source }) => source),
      targets: Int32Array.from(transfers, ({ target }) => target),
      chunks: Int32Array.from(transfers, (_, i) => i),
    },
  ],
});

/** The shortest way over open edges, of several the one over the lowest ranks: the first, since ranks are tried ascending. */
function shortest(
  source: Rank,
  target: Rank,
  nodes: number,
  isOpen: (a: Rank, b: Rank) => boolean,
): readonly Rank[] | undefined {
  let ways: readonly (readonly Rank[])[] = [[source]];
  for (let length = 0; length < nodes; length++) {
    const found = ways.filter((way) => way.at(-1) === target);
    if (found.length > 0) return found[0];
    ways = ways.flatMap((way) =>
      Array.from({ length: nodes }, (_, rank) => rank)
        .filter((rank) => !way.includes(rank) && isOpen(way.at(-1)!, rank))
        .map((rank) => [...way, rank]),
    );
  }
  return undefined;
}

/** Raises all rates together until each flow meets a capacity that is used up. */
function fairRates(
  taken: readonly (readonly string[])[],
  capacity: (name: string) => number,
): readonly number[] {
  const rates = taken.map(() => 0);
  const open = new Set(taken.keys());
  const left = new Map(taken.flat().map((name) => [name, capacity(name)]));
  while (open.size > 0) {
    const users = (name: string): number => [...open].filter((flow) => taken[flow]!.includes(name)).length;
    const steps = [...left].flatMap(([name, amount]) => (users(name) === 0 ? [] : [amount / users(name)]));
    const step = Math.min(...steps);
    for (const [name, amount] of left) left.set(name, amount - step * users(name));
    for (const flow of open) rates[flow]! += step;
    for (const flow of [...open]) if (taken[flow]!.some((name) => left.get(name)! < 1e-9)) open.delete(flow);
  }
  return rates;
}

/** When each member is done, by brute force: from tick to tick, rates anew at each and whenever a transfer ends. */
function bruteForce(example: Example): readonly number[] {
  const { nodes, edges, bandwidths, transfers, ready, nic } = example;
  const outages = outagesOf(example);
  const left = transfers.map(({ size }) => size);
  const ends = transfers.map(() => Number.POSITIVE_INFINITY);
  const edgeOf = (a: Rank, b: Rank): number =>
    edges.findIndex(([low, high]) => low === Math.min(a, b) && high === Math.max(a, b));
  const capacity = (name: string, time: number): number => {
    if (!name.includes(">")) return nic;
    const [a, b] = name.split(">").map(Number);
    const row = bandwidths[edgeOf(a!, b!)]!;
    return row[Math.floor(time / TICK + 1e-9) % row.length]!;
  };
  const last = Math.max(0, ...example.downtimes.map(({ until }) => until));
  for (let time = 0; time < last + 2000 && ends.includes(Number.POSITIVE_INFINITY); ) {
    const usual = (a: Rank, b: Rank): boolean => edgeOf(a, b) >= 0;
    const routes = transfers.map(({ source, target }, i) => {
      if (ready[source]! > time || ends[i]! < Number.POSITIVE_INFINITY) return undefined;
      const own = shortest(source, target, nodes, usual)!;
      const isUp = (a: Rank, b: Rank): boolean => usual(a, b) && outages.isUp(a, b, time);
      return own.slice(1).every((rank, hop) => isUp(own[hop]!, rank))
        ? own
        : shortest(source, target, nodes, isUp);
    });
    for (const [i, route] of routes.entries()) if (route !== undefined && left[i] === 0) ends[i] = time;
    const moving = routes.flatMap((route, i) => (route !== undefined && left[i]! > 0 ? [i] : []));
    const taken = moving.map((i) =>
      routes[i]!.slice(1).flatMap((rank, hop) => [
        `up ${routes[i]![hop]}`,
        `${routes[i]![hop]}>${rank}`,
        `down ${rank}`,
      ]),
    );
    const rates = fairRates(taken, (name) => capacity(name, time));
    const tick = (Math.floor(time / TICK + 1e-9) + 1) * TICK;
    const step = Math.min(tick - time, ...moving.map((i, at) => left[i]! / rates[at]!));
    for (const [at, i] of moving.entries()) {
      left[i]! -= rates[at]! * step;
      if (left[i]! < 1e-9) {
        left[i] = 0;
        ends[i] = time + step;
      }
    }
    time = tick - time - step < 1e-9 ? tick : time + step;
  }
  return ready.map((own, rank) =>
    Math.max(
      own,
      ...transfers.flatMap(({ source, target }, i) => (source === rank || target === rank ? [ends[i]!] : [])),
    ),
  );
}

const start = ({ ready }: Example): readonly Seconds[] => ready.map(seconds);

describe("links that follow traces and go down", () => {
  test("transfers that meet end when brute force says, over detours and through stops", () => {
    fc.assert(
      fc.property(examples, (example) => {
        const times = networkOf(example, true).time(oneRound(example), start(example));
        for (const [rank, time] of bruteForce(example).entries()) expect(times[rank]).toBeCloseTo(time, 7);
      }),
      { numRuns: 400 },
    );
  });

  test("a single transfer ends when brute force says", () => {
    fc.assert(
      fc.property(examples, (example) => {
        const [first] = example.transfers;
        const { source, target, size } = first!;
        const alone = {
          ...example,
          transfers: [first!],
          ready: example.ready.map(() => example.ready[source]!),
        };
        const arrived = networkOf(alone, true).transfer(source, target, bytes(size), start(alone)[source]!);
        expect(arrived).toBeCloseTo(bruteForce(alone)[source]!, 7);
      }),
      { numRuns: 200 },
    );
  });

  test("transfers over one link move what it carries, no more and no less: the last ends when the integral is their sum", () => {
    fc.assert(
      fc.property(
        examples,
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
        (example, sizes) => {
          const [from, to] = example.edges[0]!;
          const transfers = sizes.map((size) => ({ source: from, target: to, size }));
          const alone = { ...example, transfers, nic: 100, ready: example.ready.map(() => 0) };
          const times = networkOf(alone, false).time(oneRound(alone), start(alone));
          const row = example.bandwidths[0]!;
          let moved = 0;
          for (let time = 0; time < times[to]!; time += TICK)
            moved += row[Math.round(time / TICK) % row.length]! * Math.min(TICK, times[to]! - time);
          expect(moved).toBeCloseTo(
            sizes.reduce((sum, size) => sum + size, 0),
            7,
          );
        },
      ),
    );
  });

  test("no byte goes over a link that is down, and it goes its usual way whenever that is open", () => {
    fc.assert(
      fc.property(examples, fc.array(ticks(80), { minLength: 1 }), (example, times) => {
        const outages = outagesOf(example);
        const table = createLinkTable(PROFILES.wan, example.nodes, createRandom(1));
        const topology = custom(table, example.edges);
        const detours = new Detours(topology, outages);
        const isUp = (a: Rank, b: Rank, at: number): boolean =>
          topology.link(a, b) !== undefined && outages.isUp(a, b, at);
        for (const at of times)
          for (const { source, target } of example.transfers) {
            const usual = topology.route(source, target);
            expect(detours.isOpen(usual, at)).toBe(usual.every((link) => isUp(link.source, link.target, at)));
            const way = detours.find(source, target, at);
            expect(way).toEqual(shortest(source, target, example.nodes, (a, b) => isUp(a, b, at)));
          }
      }),
    );
  });
});
