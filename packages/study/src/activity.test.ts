// What the events say of the nodes' time, against the run's own counters: for every strategy, with default options and with
// those that let communication overlap with computing.

import {
  createOptimizer,
  type FitOptions,
  type OptimizerConfig,
  optimizerEntries,
  strategyEntries,
} from "@atoll/train";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { activitiesOf, activityKinds, timeWindows, visitActivities } from "./activity.ts";
import { interpretRun, type Run } from "./run.ts";
import { faultyRun } from "./test/faultyRun.ts";
import { sampleRun } from "./test/sampleRun.ts";
import { trained } from "./test/smallRun.ts";

const entryOf = (name: string) => strategyEntries.find((entry) => entry.name === name)!;

function strategyOf(name: string, options: object): FitOptions["strategy"] {
  const entry = entryOf(name);
  const { kind, ...given } = entry.optimizer ?? { kind: "sgd" };
  const schema = optimizerEntries.find((candidate) => candidate.name === kind)!.options as z.ZodObject;
  const config = { kind, ...schema.parse(given) } as unknown as OptimizerConfig;
  return entry.create(entry.options.parse(options) as Record<string, unknown>, createOptimizer(config, 20));
}

const rows = [
  ...strategyEntries.map(({ name }) => ({ name, options: {} })),
  { name: "ddp", options: { buckets: 3 } },
  { name: "streamingdiloco", options: { H: 4, delay: 1 } },
  { name: "eagerdiloco", options: { H: 3 } },
  { name: "fedavg", options: { H: 3 } },
  { name: "diloco", options: { H: 5 } },
];

/** Seconds of each kind by node, as the run counted them. */
function countedTimes({ finished }: Run) {
  return finished!.nodes.map((node) => ({ ...node, absent: 0 }));
}

function eventTimes(run: Run) {
  const times = Array.from({ length: run.started!.nodes }, () => ({
    compute: 0,
    communication: 0,
    waiting: 0,
    absent: 0,
  }));
  visitActivities(run, (rank, { kind, from, until }) => {
    times[rank]![kind] += until - from;
  });
  return times;
}

describe("the seconds of each kind are those that the run counted", () => {
  test.each(rows)("$name $options", async ({ name, options }) => {
    const run = interpretRun(
      await trained({
        strategy: strategyOf(name, options),
        nodes: 4,
        maxSteps: 20,
        batchSize: 8,
        compute: { kind: "measured", durations: [0.05, 0.2, 0.01], heterogeneity: 0.5 },
        network: { profile: "mobile", topology: "ring" },
        valInterval: 7,
      } as FitOptions),
    );
    const counted = countedTimes(run);
    const seen = eventTimes(run);
    for (const [rank, node] of counted.entries())
      for (const kind of activityKinds) expect(seen[rank]![kind]).toBeCloseTo(node[kind], 6);
  });
});

/** Crashes and what nodes do about them; the node's own clock is what its times add up to, absent or not. */
const troubles: readonly (readonly [
  name: string,
  strategy: string,
  options: object,
  faults: FitOptions["faults"],
])[] = [
  [
    "waiting for all",
    "fedavg",
    { H: 3 },
    { churn: { uptime: 4, downtime: 0.5 }, whenMissing: { kind: "wait" } },
  ],
  [
    "going back to a checkpoint",
    "ddp",
    {},
    { churn: { uptime: 12, downtime: 0.5 }, whenMissing: { kind: "wait" }, recovery: "checkpoint" },
  ],
  [
    "going on without the missing",
    "diloco",
    { H: 4 },
    { churn: { uptime: 4, downtime: 1 }, whenMissing: { kind: "timeout", seconds: 0.4 } },
  ],
  [
    "going on with a quorum",
    "fedavg",
    { H: 2 },
    { churn: { uptime: 4, downtime: 1 }, whenMissing: { kind: "quorum", fraction: 0.5, seconds: 0.3 } },
  ],
];

test.each(troubles)("with nodes that crash, %s: nothing is lost", async (how, name, options, faults) => {
  const isExact = how === "waiting for all" || how === "going on with a quorum";
  for (const seed of [1, 2, 3]) {
    const run = interpretRun(
      await trained({
        strategy: strategyOf(name, options),
        nodes: 5,
        maxSteps: 30,
        batchSize: 8,
        seed,
        compute: { kind: "measured", durations: [0.05, 0.2, 0.01] },
        network: { profile: "wan", topology: "fully_connected" },
        checkpointInterval: 5,
        faults,
      } as FitOptions),
    );
    expect(run.faults.length).toBeGreaterThan(0);
    const seen = eventTimes(run);
    const atEnd = run.finished!.nodes.map(
      ({ compute, communication, waiting }) => compute + communication + waiting,
    );
    for (const [rank, node] of run.finished!.nodes.entries()) {
      const { compute, communication, waiting, absent } = seen[rank]!;
      expect(compute + communication + waiting + absent).toBeGreaterThanOrEqual(atEnd[rank]! - 1e-6);
      // A call that a roll-back cut short is counted whole by the run.
      expect(communication).toBeLessThanOrEqual(node.communication + 1e-6);
      // Who is left behind computes all the same, and is drawn as absent.
      if (isExact) expect(compute).toBeGreaterThanOrEqual(node.compute - 1e-6);
      if (isExact) expect(communication).toBeCloseTo(node.communication, 6);
    }
    if (isExact) expect(inVain(run, seen)).toBeLessThan(0.35);
  }
});

/** The part of what was computed that the run does not count: steps that a crash cut short. */
function inVain(run: Run, seen: ReturnType<typeof eventTimes>): number {
  const total = seen.reduce((sum, { compute }) => sum + compute, 0);
  return 1 - run.finished!.nodes.reduce((sum, { compute }) => sum + compute, 0) / total;
}

const anyRun = fc
  .record({
    nodes: fc.integer({ min: 1, max: 9 }),
    steps: fc.integer({ min: 0, max: 80 }),
    H: fc.integer({ min: 1, max: 20 }),
    seed: fc.nat(),
    outcome: fc.constantFrom("completed", "interrupted", "failed", "unfinished"),
  })
  .chain((options) =>
    fc
      .boolean()
      .map((isFaulty) => interpretRun(isFaulty ? faultyRun({ ...options, rate: 0.3 }) : sampleRun(options))),
  );

test("whatever the run, a node's spans follow on each other, and the profile adds up to at most all nodes", () => {
  fc.assert(
    fc.property(anyRun, fc.integer({ min: 1, max: 50 }), (run, columns) => {
      const clocks = new Map<number, number>();
      visitActivities(run, (rank, { from, until }) => {
        expect(until).toBeGreaterThan(from);
        expect(from).toBeGreaterThanOrEqual(clocks.get(rank) ?? 0);
        clocks.set(rank, until);
      });
      const activities = activitiesOf(run, { columns, ranks: [], windows: [] });
      if (activities === null) return;
      const { profile } = activities;
      for (let column = 0; column < columns; column++) {
        const total = activityKinds.reduce((sum, kind) => sum + profile.shares[kind][column]!, 0);
        expect(total).toBeGreaterThanOrEqual(0);
        expect(total).toBeLessThanOrEqual(1 + 1e-9);
      }
    }),
  );
});

test("windows lie in the run and hold what happened in them", () => {
  fc.assert(
    fc.property(anyRun, (run) => {
      const nodes = run.started!.nodes;
      const ranks = Array.from({ length: nodes }, (_, rank) => rank);
      let previous = Number.NEGATIVE_INFINITY;
      const windows = timeWindows(run);
      const lanes = activitiesOf(run, { columns: 1, ranks, windows })?.lanes ?? [];
      for (const [i, window] of windows.entries()) {
        expect(window.until).toBeGreaterThan(window.from);
        if (window.name !== "typical") expect(window.from).toBeGreaterThanOrEqual(previous);
        previous = window.from;
        for (const lane of lanes[i]!)
          for (const { from, until } of lane) {
            expect(from).toBeGreaterThanOrEqual(window.from);
            expect(until).toBeLessThanOrEqual(window.until);
          }
      }
    }),
  );
});

test("a short run is one window; a long one has its first, typical and last four exchanges", () => {
  const windows = (steps: number) => timeWindows(interpretRun(sampleRun({ steps, H: 10 })));
  expect(windows(0)).toEqual([]);
  expect(windows(120).map(({ name }) => name)).toEqual(["whole"]);
  const long = interpretRun(sampleRun({ steps: 400, H: 10 }));
  const ends = long.collectives.map(({ end }) => end[0]!);
  const [first, typical, last] = timeWindows(long);
  expect(first).toMatchObject({ name: "first", from: 0, until: ends[3] });
  expect(last).toMatchObject({ name: "last", until: ends.at(-1) });
  expect(ends).toContain(typical!.from);
  expect(ends.indexOf(typical!.until) - ends.indexOf(typical!.from)).toBe(4);
});
