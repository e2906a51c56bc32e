// A plan against what a whole simulated run measures, against formulas, against itself, and against what the papers found.

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
import { fitStacked, STACKED_LAYERS, STACKED_PARAMETERS } from "../test/stackedRun.ts";
import { type Plan, type PlanOptions, planRun } from "./plan.ts";

const entryOf = (name: string) => strategyEntries.find((entry) => entry.name === name)!;

function exchangesOf(name: string, options: object): PlanOptions["exchanges"] {
  const entry = entryOf(name);
  const traffic = entry.traffic(entry.options.parse(options) as Record<string, unknown>);
  if ("refusal" in traffic) throw new Error(traffic.refusal);
  return traffic.exchanges;
}

function strategyOf(name: string, options: object): FitOptions["strategy"] {
  const entry = entryOf(name);
  const { kind, ...given } = entry.optimizer ?? { kind: "adamw" };
  const schema = optimizerEntries.find((candidate) => candidate.name === kind)!.options as z.ZodObject;
  const config = { kind, ...schema.parse(given) } as unknown as OptimizerConfig;
  return entry.create(entry.options.parse(options) as Record<string, unknown>, createOptimizer(config, 12));
}

/** Links that are all alike, and lose nothing. */
const alike = { bandwidth: 1e5, latency: 0.01, jitter: 0, loss: 0 };

const plain: PlanOptions = {
  parameters: STACKED_PARAMETERS,
  layers: STACKED_LAYERS,
  stepSeconds: 0.2,
  nodes: 4,
  exchanges: [],
  schedule: "train",
  network: alike,
  allReduce: "topology",
  seed: 3,
  maxSteps: 13,
};

interface Row {
  readonly name: string;
  readonly strategy: string;
  readonly options: object;
  readonly given?: Partial<PlanOptions>;
}

const rows: readonly Row[] = [
  { name: "ddp", strategy: "ddp", options: {} },
  { name: "ddp in buckets", strategy: "ddp", options: { buckets: 3 } },
  { name: "ddp on a star", strategy: "ddp", options: {}, given: { network: { ...alike, topology: "star" } } },
  { name: "ddp by trees", strategy: "ddp", options: {}, given: { allReduce: "tree" } },
  { name: "fedavg", strategy: "fedavg", options: { H: 3 } },
  { name: "fedavg in islands", strategy: "fedavg", options: { H: 3, islandSize: 2 } },
  { name: "fedavg by share", strategy: "fedavg", options: { H: 2, weighting: "share" } },
  { name: "fedadam", strategy: "fedadam", options: { H: 4 } },
  { name: "diloco", strategy: "diloco", options: { H: 4 } },
  { name: "sparta", strategy: "sparta", options: { p: 0.25, interval: 2, delay: 1 } },
  { name: "spartadiloco", strategy: "spartadiloco", options: { p: 0.25, interval: 2, H: 3 } },
  { name: "noloco", strategy: "noloco", options: { H: 3 } },
  { name: "sgp", strategy: "sgp", options: {} },
  { name: "sgp overlapped", strategy: "sgp", options: { overlap: 2 } },
  { name: "dgc", strategy: "dgc", options: { density: 0.1 } },
  { name: "qsgd", strategy: "qsgd", options: {} },
  { name: "sparseloco", strategy: "sparseloco", options: { H: 3 } },
  { name: "int8allreduce", strategy: "int8allreduce", options: {} },
  { name: "onebitadam", strategy: "onebitadam", options: { warmupSteps: 4 } },
  { name: "muloco", strategy: "muloco", options: { H: 3 } },
  { name: "eagerdiloco", strategy: "eagerdiloco", options: { H: 2 } },
  { name: "streamingdiloco", strategy: "streamingdiloco", options: { H: 6, fragments: 4, delay: 1 } },
  {
    name: "streamingdiloco, in floats, on a slow network",
    strategy: "streamingdiloco",
    options: { H: 6, fragments: 2, delay: 2, quantise: false },
    given: { network: { ...alike, bandwidth: 2e4 } },
  },
];

describe.each(rows)("$name", ({ strategy, options, given }) => {
  test("takes as long and sends as much as a whole simulated run", async () => {
    const planned: PlanOptions = { ...plain, exchanges: exchangesOf(strategy, options), ...given };
    const { nodes, maxSteps, network, allReduce, seed, stepSeconds } = planned;
    const run = await fitStacked(
      { strategy: strategyOf(strategy, options), nodes, maxSteps, network, allReduce, seed },
      stepSeconds,
    );
    const { totalSeconds, totalBytes } = planRun(planned);
    expect(Math.abs(totalSeconds / run.simulatedSeconds - 1)).toBeLessThan(1e-3);
    // What is still under way when the run ends is not counted by it.
    const isLate = planned.exchanges.some(({ delay = 0 }) => delay > 0);
    const sent = run.bytesSent.reduce((sum, bytes) => sum + bytes, 0) / nodes;
    if (!isLate) expect(totalBytes / sent).toBeCloseTo(1, 3);
  });
});

// Where groups, or the messages of several nodes, meet on the way, a run's nodes get out of step: some compute while others
// send, and of SGP messages of different steps. A plan has all of them wait for the last.
test.each([
  ["sgp", {}],
  ["fedavg", { H: 3, islandSize: 2 }],
] as const)("%s through a hub takes no longer than planned, and not much less", async (strategy, options) => {
  const network = { ...alike, topology: "star" } as const;
  const planned = { ...plain, exchanges: exchangesOf(strategy, options), network };
  const { nodes, maxSteps, seed, stepSeconds } = planned;
  const fit = { strategy: strategyOf(strategy, options), nodes, maxSteps, network, seed };
  const { simulatedSeconds } = await fitStacked(fit, stepSeconds);
  const ratio = planRun(planned).totalSeconds / simulatedSeconds;
  expect(ratio).toBeGreaterThan(1);
  expect(ratio).toBeLessThan(1.6);
});

// A ring goes at the pace of its slowest link. Where rounds go over other links each time, they are taken to wait for each
// other, which is too slow by some percent.
test.each([
  ["ddp", 0.03],
  ["fedavg", 0.03],
  ["diloco", 0.03],
  ["streamingdiloco", 0.06],
] as const)(
  "%s on different links of a wide area: utilisation within %f of a run's",
  async (strategy, tolerance) => {
    const network = { profile: "wan", loss: 0, bandwidth: [2e4, 2e5] } as const;
    const options = strategy === "ddp" ? {} : { H: 4 };
    for (const seed of [1, 2, 3]) {
      const planned = { ...plain, exchanges: exchangesOf(strategy, options), network, seed, maxSteps: 40 };
      const run = await fitStacked(
        { strategy: strategyOf(strategy, options), nodes: 4, maxSteps: 40, network, seed },
        plain.stepSeconds,
      );
      const { utilization } = planRun(planned);
      const measured = (40 * plain.stepSeconds) / run.simulatedSeconds;
      expect(Math.abs(utilization - measured), `seed ${seed}: ${utilization}, ${measured}`).toBeLessThan(
        tolerance,
      );
    }
  },
);

/** A model of the size that Streaming DiLoCo was tried at. */
const billion: PlanOptions = {
  ...plain,
  parameters: 1e9,
  layers: 24,
  stepSeconds: 0.1,
  nodes: 2,
  bitsPerParameter: 16,
  schedule: "layers",
  network: { ...alike, bandwidth: 1e9, latency: 0 },
  maxSteps: 1000,
};

const planned = (name: string, options: object, given: Partial<PlanOptions> = {}): Plan =>
  planRun({ ...billion, exchanges: exchangesOf(name, options), ...given });

const needed = (plan: Plan, target = 0.9): number =>
  plan.requiredBandwidth.find(({ utilization }) => utilization === target)!.gbitPerSecond!;

test("data parallelism at half utilisation: all bits in what a forward pass and one layer leave of two steps", () => {
  expect(needed(planned("ddp", {}), 0.5)).toBeCloseTo(16 / (0.2 - 0.1 / 3 - 0.2 / 3 / 24), 4);
});

test("DiLoCo needs some tens of times less than data parallelism, streaming and four bits less again", () => {
  const ddp = needed(planned("ddp", {}));
  const diLoCo = needed(planned("diloco", { H: 100 }));
  const streaming = { H: 100, fragments: 8, delay: 0, quantise: false };
  const streamed = needed(planned("streamingdiloco", streaming));
  const overlapped = needed(planned("streamingdiloco", { ...streaming, delay: 5 }));
  const quantised = needed(
    planned("streamingdiloco", { ...streaming, delay: 5, quantise: true }, { bitsPerParameter: undefined }),
  );
  expect(ddp / diLoCo).toBeGreaterThan(10);
  expect(streamed).toBeLessThan(diLoCo);
  expect(overlapped).toBeLessThan(streamed / 2);
  expect(quantised).toBeLessThan(overlapped / 3);
  expect(ddp / quantised).toBeGreaterThan(200);
});

test("what runs behind 99 % of the computing needs no more than the mean of its bits", () => {
  const plan = planned("eagerdiloco", { H: 100 });
  expect(needed(plan, 0.99)).toBeLessThan((16 / 10) * 1.01);
});

const synchronous = fc.constantFrom(
  "ddp",
  "diloco",
  "streamingdiloco",
  "sparta",
  "noloco",
  "dgc",
  "muloco",
  "sgp",
);
const settings = fc.record({
  strategy: synchronous,
  nodes: fc.integer({ min: 2, max: 9 }),
  layers: fc.integer({ min: 2, max: 12 }),
  latency: fc.constantFrom(0, 1e-4, 0.01),
  schedule: fc.constantFrom("layers" as const, "train" as const),
  topology: fc.constantFrom("fully_connected" as const, "star" as const, "ring" as const),
  tcp: fc.constantFrom("none" as const, "lv08" as const),
});
const planOf = ({
  strategy,
  latency,
  topology,
  tcp,
  ...given
}: typeof settings extends fc.Arbitrary<infer S> ? S : never) =>
  ({
    ...plain,
    parameters: 1e7,
    exchanges: exchangesOf(strategy, {}),
    network: { ...alike, bandwidth: 1e8, latency, topology, tcp },
    ...given,
  }) satisfies PlanOptions;

test("plugged back, a required bandwidth gives the utilisation", () => {
  fc.assert(
    fc.property(settings, (given) => {
      const options = planOf({ ...given, tcp: "none" });
      for (const { utilization, gbitPerSecond } of planRun(options).requiredBandwidth) {
        if (gbitPerSecond === null) continue;
        const network = { ...options.network, bandwidth: (gbitPerSecond * 1e9) / 8 };
        expect(planRun({ ...options, network }).utilization).toBeCloseTo(utilization, 5);
      }
    }),
    { numRuns: 40 },
  );
});

test("no bandwidth is required by one node, nor enough where latency alone is too long", () => {
  const alone = planned("ddp", {}, { nodes: 1 });
  expect(alone.utilization).toBeCloseTo(1, 9);
  expect(alone.requiredBandwidth.map(({ gbitPerSecond }) => gbitPerSecond)).toEqual([0, 0, 0, 0, 0]);
  const far = planned("ddp", {}, { network: { ...billion.network, latency: 1 } });
  expect(far.requiredBandwidth.every(({ gbitPerSecond }) => gbitPerSecond === null)).toBe(true);
});

test("a window that is too small for the path is said", () => {
  const far = planned("diloco", { H: 100 }, { network: { ...billion.network, latency: 0.01 } });
  const last = far.requiredBandwidth.at(-2)!;
  expect(last.gbitPerSecond).toBeGreaterThan(1);
  expect(last.utilizationWithTcp).toBeLessThan(0.9);
});

test("more bandwidth never computes less, nor does a longer round, or fewer nodes", () => {
  fc.assert(
    fc.property(settings, (given) => {
      const options = planOf(given);
      const plan = planRun(options);
      const faster = planRun({ ...options, network: { ...options.network, bandwidth: 3e8 } });
      expect(faster.utilization).toBeGreaterThanOrEqual(plan.utilization - 1e-9);
      const curve = plan.curve.map(({ utilization }) => utilization);
      expect(curve.every((value, i) => i === 0 || value >= curve[i - 1]! - 1e-9)).toBe(true);
      const required = plan.requiredBandwidth.map(({ gbitPerSecond }) => gbitPerSecond ?? Infinity);
      expect(required).toEqual(required.toSorted((a, b) => a - b));
      const more = planRun({ ...options, nodes: 2 * options.nodes });
      if (given.topology === "fully_connected" && given.strategy !== "noloco")
        expect(more.utilization).toBeLessThanOrEqual(plan.utilization + 1e-9);
    }),
    { numRuns: 40 },
  );
  const rounds = [1, 5, 20, 100, 500].map((H) => planned("diloco", { H }).utilization);
  expect(rounds).toEqual(rounds.toSorted((a, b) => a - b));
});

test("TCP by drawn round trips is planned by its mean rate", () => {
  const lossy = { ...alike, bandwidth: 1e9, loss: 1e-3 };
  const utilization = (network: PlanOptions["network"]): number =>
    planned("diloco", {}, { network }).utilization;
  const drawn = utilization({ ...lossy, tcp: "rounds" });
  expect(drawn).toBe(utilization({ ...lossy, congestion: "cubic" }));
  expect(drawn).toBeLessThan(utilization(lossy) / 2);
});

test("a long run is some first steps and then periods", () => {
  const options = { H: 6, fragments: 4, delay: 2, quantise: false };
  const exchanges = exchangesOf("streamingdiloco", options);
  const total = (maxSteps: number): number => planRun({ ...plain, exchanges, maxSteps }).totalSeconds;
  expect(total(600) - total(300)).toBeCloseTo(300 * planRun({ ...plain, exchanges }).secondsPerStep, 6);
});

test("more fragments than layers, and rounds that hardly ever meet, are refused", () => {
  const streaming = exchangesOf("streamingdiloco", { fragments: 8 });
  expect(() => planRun({ ...plain, exchanges: streaming })).toThrow(
    /strategy.fragments.*at most.*\(4\), got 8/,
  );
  const rarely = exchangesOf("spartadiloco", { interval: 99_991, H: 99_989 });
  expect(() => planRun({ ...billion, exchanges: rarely, layers: 1000 })).toThrow(/meet again only after/);
});
