// The oracle of repricing: a run recorded on one network and timed on another has the events of a real run there, bit for
// bit, under every synchronous strategy. What cannot be repriced is refused with what to do instead.

import type { RunEvent } from "@atoll/core";
import {
  type ComputeOptions,
  createOptimizer,
  type FitOptions,
  fedAvg,
  type OptimizerConfig,
  optimizerEntries,
  strategyEntries,
} from "@atoll/train";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { z } from "zod";
import type { RunRecord } from "../record.ts";
import { smallParts, trained } from "../test/smallRun.ts";
import { reprice } from "./reprice.ts";

type Network = NonNullable<FitOptions["network"]>;

/** Options that make a strategy do what it does within a few steps of a small model. */
const quick: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "ddp in buckets": { buckets: 3 },
  fedavg: { H: 3 },
  "fedavg in islands": { H: 2, islandSize: 2 },
  "fedavg by share": { H: 3, weighting: "share" },
  fedprox: { H: 3 },
  fedadam: { H: 3 },
  fedyogi: { H: 3 },
  fedadagrad: { H: 3 },
  diloco: { H: 3 },
  sparta: { p: 0.2 },
  "sparta delayed": { p: 0.2, interval: 2, delay: 2, selector: "shuffledSequential" },
  "sparta by partitions": { p: 0.4, selector: "partitioned" },
  spartadiloco: { H: 3, p: 0.2, interval: 2 },
  noloco: { H: 2 },
  "sgp overlapped": { peers: 2, graph: "random", overlap: 2 },
  dgc: { density: 0.1 },
  qsgd: { bucketSize: 16 },
  demo: { chunkSize: 4, topK: 2 },
  sparseloco: { H: 3, density: 0.125, chunkSize: 32 },
  powersgd: { rank: 2 },
  int8allreduce: { blockSize: 16 },
  onebitadam: { warmupSteps: 3, blockSize: 16 },
  muloco: { H: 3 },
  eagerdiloco: { H: 3 },
  streamingdiloco: { H: 4, fragments: 2, delay: 1 },
};

const rows = [...new Set([...strategyEntries.map(({ name }) => name), ...Object.keys(quick)])];

function strategyOf(row: string): FitOptions["strategy"] {
  const [name] = row.split(" ");
  const entry = strategyEntries.find((candidate) => candidate.name === name)!;
  const { kind, ...given } = entry.optimizer ?? { kind: "adamw" };
  const { options } = optimizerEntries.find((candidate) => candidate.name === kind)!;
  const config = { kind, ...(options as z.ZodObject).parse(given) } as unknown as OptimizerConfig;
  const optimizer = createOptimizer(config, 12);
  return entry.create(entry.options.parse(quick[row] ?? {}) as Record<string, unknown>, optimizer);
}

const optionsOf = (row: string, more: Partial<FitOptions> = {}): FitOptions => ({
  strategy: strategyOf(row),
  nodes: 4,
  maxSteps: 9,
  batchSize: 4,
  valInterval: 4,
  seed: 5,
  name: "recorded",
  ...more,
});

const wan: Network = { profile: "wan", topology: "ring" };
const mobile: Network = { profile: "mobile", nic: 2e5 };

/** `config` says how the algorithm was asked for, which is not the same: by its name. */
const comparable = (events: readonly RunEvent[]): readonly unknown[] =>
  events.map((event) => {
    if (event.type !== "runStarted") return event;
    const { allReduce: _, ...config } = event.config;
    return { ...event, config, startedAt: "" };
  });

async function expectExact(from: FitOptions, to: FitOptions): Promise<void> {
  const record = await trained(from);
  const repriced = await reprice({ record, parts: smallParts, fit: from, network: to.network ?? {} });
  const real = await trained(to);
  expect(comparable(repriced.events)).toEqual(comparable(real.events));
}

test.each(rows.filter((row) => row !== "adpsgd"))("repriced is as trained there: %s", async (row) => {
  await expectExact(optionsOf(row, { network: wan }), optionsOf(row, { network: mobile }));
});

test("any network to any other: topologies, all-reduce algorithms, speeds, stragglers", async () => {
  const profile = fc.constantFrom("local", "datacenter", "wan", "mobile" as const);
  const topology = fc.constantFrom("fully_connected", "ring", "star", "tree" as const);
  const network = fc.record({ profile, topology }) as fc.Arbitrary<Network>;
  const algorithm = fc.constantFrom("ring", "tree", "star", "halving-doubling" as const);
  const compute = fc.constantFrom<ComputeOptions>(
    { kind: "device", device: "laptop", utilization: 0.3, variability: 0.3, heterogeneity: 0.5 },
    { kind: "measured", durations: [0.01, 0.02, 0.04] },
  );
  const faults = fc.constantFrom(undefined, {
    stragglers: { probability: 0.4, slowdown: 9, interval: 0.05 },
  });
  const row = fc.constantFrom("ddp", "diloco", "spartadiloco", "noloco", "eagerdiloco");
  await fc.assert(
    fc.asyncProperty(
      fc.record({ row, from: network, to: network, allReduce: algorithm, compute, faults, seed: fc.nat(99) }),
      async ({ row, from, to, allReduce, compute, faults, seed }) => {
        const strategy = strategyOf(row);
        const met = strategy.whenMissing?.kind === "stop" ? undefined : faults;
        const more: Partial<FitOptions> = {
          allReduce,
          compute,
          seed,
          ...(met === undefined ? {} : { faults: { ...met, whenMissing: { kind: "wait" } } }),
        };
        await expectExact(
          optionsOf(row, { ...more, network: from }),
          optionsOf(row, { ...more, network: to }),
        );
      },
    ),
    { numRuns: 25 },
  );
});

test("an algorithm that serves only some of a run's groups falls back on the same ones elsewhere", async () => {
  const islands = (network: Network): FitOptions =>
    optionsOf("fedavg in islands", {
      strategy: fedAvg({ H: 2, islandSize: 3 }),
      nodes: 5,
      allReduce: "halving-doubling",
      network,
    });
  await expectExact(islands(wan), islands(mobile));
  const record = await trained(islands(wan));
  await expect(refusal(islands(wan), record, { topology: "star" })).rejects.toThrow(
    /among 3 nodes by star, not as recorded by .*allReduce=star/,
  );
});

test("the recorded algorithm is kept where the other network would choose another", async () => {
  const star = optionsOf("ddp", { network: { profile: "wan", topology: "star" } });
  const record = await trained(star);
  const repriced = await reprice({ record, parts: smallParts, fit: star, network: wan });
  const algorithms = repriced.events.flatMap((event) =>
    event.type === "collective" ? [event.algorithm] : [],
  );
  expect(new Set(algorithms)).toEqual(new Set(["star"]));
  const there = await trained({ ...star, network: wan, allReduce: "star" });
  expect(comparable(repriced.events)).toEqual(comparable(there.events));
});

const refusal = (fit: FitOptions, record: RunRecord, network: Network = mobile): Promise<RunRecord> =>
  reprice({ record, parts: smallParts, fit, network });

test("what cannot be repriced is refused, with what to do instead", async () => {
  const usual = optionsOf("ddp", { network: wan });
  const record = await trained(usual);
  const asynchronous = { ...usual, strategy: strategyOf("adpsgd") };
  await expect(refusal(asynchronous, record)).rejects.toThrow(
    /asynchronous strategy adpsgd .*Train it there: npx atoll train/,
  );
  const onProcesses = record.events.map((event) =>
    event.type === "runStarted" ? { ...event, config: { ...event.config, mode: "processes" } } : event,
  );
  await expect(refusal(usual, { ...record, events: onProcesses })).rejects.toThrow(/without mode=processes/);
  const crash = { schedule: [{ kind: "crash", node: 1, at: 0.1, rejoin: 0.2 }] } as const;
  await expect(refusal({ ...usual, faults: crash }, record)).rejects.toThrow(/faults strike at moments/);
  const hasty = {
    stragglers: { probability: 0.5, slowdown: 9 },
    whenMissing: { kind: "timeout", seconds: 1 },
  } as const;
  await expect(refusal({ ...usual, faults: hasty }, record)).rejects.toThrow(/faults strike at moments/);
  const cut = { ...record, events: record.events.filter(({ type }) => type !== "runFinished") };
  await expect(refusal(usual, cut)).rejects.toThrow(/is unfinished\. Go on with it first: .*--resume/);
  await expect(refusal({ ...usual, maxSteps: 10 }, record)).rejects.toThrow(/has 9 steps, not 10/);
  await expect(refusal({ ...usual, nodes: 3 }, record)).rejects.toThrow(/has 4 nodes, not 3/);
});

test("an algorithm that the other network cannot serve is refused", async () => {
  const islands = { topology: "islands", islandSize: 2 } as const;
  const fit = optionsOf("ddp", { network: islands, allReduce: "hierarchical" });
  const record = await trained(fit);
  await expect(refusal(fit, record, wan)).rejects.toThrow(/all-reduces are hierarchical.*allReduce=ring/);
  await expect(refusal(fit, record, { ...islands, islandSize: 1 })).rejects.toThrow(/hierarchical/);
  await expectExact(fit, { ...fit, network: { ...islands, profile: "wan" } });
});

test("under auto a run that went by one algorithm is held to it", async () => {
  const fit = optionsOf("diloco", { network: wan, allReduce: "auto" });
  const record = await trained(fit);
  const repriced = await refusal(fit, record, { profile: "datacenter", topology: "star" });
  const used = (events: readonly RunEvent[]): ReadonlySet<string> =>
    new Set(
      events.flatMap((event) => (event.type === "collective" ? [event.algorithm.split(" (")[0]!] : [])),
    );
  expect(used(repriced.events)).toEqual(used(record.events));
  const mixed = record.events.flatMap((event): readonly RunEvent[] =>
    event.type === "collective"
      ? [event, { ...event, algorithm: "tree" }, { ...event, algorithm: "star" }]
      : [event],
  );
  await expect(refusal(fit, { ...record, events: mixed })).rejects.toThrow(/went by several algorithms/);
});

test("what was recorded of steps stays as it was, at the other network's times", async () => {
  const fit: FitOptions = {
    strategy: fedAvg({ H: 2 }),
    nodes: 3,
    maxSteps: 4,
    batchSize: 8,
    record: { quantities: ["gradientNorm", "outerCosine"] },
  };
  const there: Network = { profile: "wan" };
  const recordsOf = ({ events }: RunRecord) => events.filter(({ type }) => type === "recorded");
  const repriced = await reprice({ record: await trained(fit), parts: smallParts, fit, network: there });
  const expected = recordsOf(await trained({ ...fit, network: there }));
  expect(expected).toHaveLength(6);
  expect(recordsOf(repriced)).toEqual(expected);
});
