// What every strategy has to keep, one row a strategy: the bytes that its paper promises, a first synchronisation when
// it is due, and runs that a seed, a resume, other workers or another network do not change.

import type { CollectiveDone, RunEvent } from "@atoll/core";
import { adamW, sgd } from "@atoll/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Dataset, Partition } from "../data/index.ts";
import { startWorkers, type Workers, workerThreads } from "../node/workerThreads.ts";
import {
  clouds,
  happenings,
  memoryStore,
  numbersOf,
  perceptron,
  type RehearsalOptions,
  rehearse,
  stepsOf,
} from "../test/runs.ts";
import { type StrategyRow, strategyRows } from "../test/strategyRows.ts";

const WORLD_SIZES = [1, 2, 3, 8];

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const collectivesOf = (events: readonly RunEvent[]): readonly CollectiveDone[] =>
  events.filter((event) => event.type === "collective");

const STEPS = 10;
/** Everything that could go wrong in a resume: dropout, buffers, jitter, loss, several epochs. */
const busy: Omit<RehearsalOptions, "strategy"> = {
  model: perceptron({ rate: 0.3, normed: true }),
  train: clouds(100),
  nodes: 3,
  maxSteps: STEPS,
  seed: 7,
  network: { profile: "mobile", topology: "ring" },
};

let workers: Workers;
let otherPools: readonly Workers[];
beforeAll(() => {
  workers = startWorkers(2);
  otherPools = [startWorkers(1), startWorkers(3)];
});
afterAll(() => Promise.all([workers, ...otherPools].map((pool) => pool[Symbol.asyncDispose]())));
const run = (options: RehearsalOptions): ReturnType<typeof rehearse> =>
  rehearse({ executor: workerThreads(workers), ...options });

/** Where nodes do not wait for each other, steps take so long that messages arrive while the run goes on. */
const taking = (row: StrategyRow, ...durations: readonly number[]): Pick<RehearsalOptions, "compute"> =>
  row.asynchronous ? { compute: { kind: "measured", durations } } : {};

/** The tensors of a node that are its model's parameters. */
const parametersOf = (tensors: Readonly<Record<string, unknown>>): unknown =>
  Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith("parameters.")));

describe.each(strategyRows)("$name", (row) => {
  const busyRun: Omit<RehearsalOptions, "strategy"> = { ...busy, ...taking(row, 0.1, 0.3, 1) };

  test.each(row.worldSizes ?? WORLD_SIZES)(
    "sends what its formula says, when it is due, on %i nodes",
    async (nodes) => {
      const { result, events } = await run({
        strategy: row.create(),
        nodes,
        maxSteps: STEPS,
        ...taking(row, 1),
      });
      const { parameterCount } = result;
      const due = Array.from({ length: STEPS }, (_, i) => row.bytes({ step: i + 1, nodes, parameterCount }));
      expect(sum(result.bytesSent)).toBe(sum(due));
      const open = row.inFlight?.({ step: STEPS, nodes, parameterCount }) ?? 0;
      expect(sum(collectivesOf(events).flatMap(({ bytes }) => bytes))).toBe(sum(due) + open);
      const sent = stepsOf(events).map(({ bytesSent }) => bytesSent * nodes);
      for (const [i, bytes] of sent.entries()) expect(bytes).toBeCloseTo(sum(due.slice(0, i + 1)), 6);
    },
  );

  test("replays a seed to the bit, and differs for another seed", async () => {
    const first = numbersOf(await run({ ...busyRun, strategy: row.create() }));
    expect(numbersOf(await run({ ...busyRun, strategy: row.create() }))).toEqual(first);
    expect(numbersOf(await run({ ...busyRun, strategy: row.create(), seed: 8 }))).not.toEqual(first);
  });

  test("goes on from any step as if it had never stopped", async () => {
    const options = { ...busyRun, strategy: row.create(), validation: clouds(60, 2), valInterval: 3 };
    const unbroken = await run(options);
    const saved = await run({ ...options, checkpointInterval: 1 });
    expect(numbersOf(saved), "cuts do not show").toEqual(numbersOf(unbroken));
    for (let step = 1; step < STEPS; step++) {
      const resume = saved.snapshots.get(step)!;
      const resumed = await run({ ...options, checkpointInterval: 1, resume });
      const cut = saved.events.findIndex((event) => event.type === "checkpoint" && event.step === step);
      expect(happenings(resumed.events), `events after step ${step}`).toEqual(
        happenings(saved.events.slice(cut + 1)),
      );
      expect({ ...resumed.result, wallSeconds: 0 }).toEqual({ ...saved.result, wallSeconds: 0 });
      const last = (of: typeof saved) => of.snapshots.get(STEPS)!.nodes.map((node) => node.tensors());
      expect(last(resumed), `state after resuming at ${step}`).toEqual(last(saved));
    }
  });

  test("gives the same whatever the number of workers", async () => {
    const expected = numbersOf(await run({ ...busyRun, strategy: row.create() }));
    for (const others of otherPools) {
      const got = await run({ ...busyRun, strategy: row.create(), executor: workerThreads(others) });
      expect(numbersOf(got), `${others.size} workers`).toEqual(expected);
    }
  });

  test.skipIf(row.asynchronous)("learns the same on any network", async () => {
    const on = async (network: NonNullable<RehearsalOptions["network"]>) => {
      const { result, events } = await run({ ...busyRun, strategy: row.create(), network });
      return {
        losses: stepsOf(events).map(({ loss }) => loss),
        parameters: result.parameters,
        buffers: result.buffers,
      };
    };
    const topology = "ring"; // the order of additions is the topology's
    expect(await on({ profile: "poor", topology })).toEqual(await on({ profile: "local", topology }));
  });

  test("takes uneven data, with a strategy that is shared by runs", async () => {
    const strategy = row.create(sgd({ learningRate: 0.1 }));
    const factory = (rank: number): Dataset => clouds(16 + 30 * rank, rank);
    const partition = fc.constantFrom<Partition>(
      { kind: "dirichlet", alpha: 0.3 },
      { kind: "labelShards", shardsPerNode: 2 },
    );
    const train = fc.oneof(fc.constant(factory), fc.constant(clouds(600)));
    await fc.assert(
      fc.asyncProperty(partition, train, fc.integer({ min: 0, max: 99 }), async (scheme, data, seed) => {
        const options = {
          strategy,
          train: data,
          partition: scheme,
          seed,
          nodes: 3,
          maxSteps: 7,
          batchSize: 4,
        };
        const first = await run(options);
        for (const { loss } of stepsOf(first.events)) expect(loss).toBeLessThan(10);
        expect(numbersOf(await run(options))).toEqual(numbersOf(first));
      }),
      { numRuns: 3 },
    );
  });

  test("does what it states when a node is lost, and takes it back", async () => {
    const strategy = row.create();
    const plain = await run({ ...busyRun, strategy });
    const time = plain.result.simulatedSeconds;
    const crash = { kind: "crash", node: 1, at: 0.4 * time, rejoin: 0.6 * time } as const;
    const stated = strategy.whenMissing ?? { kind: "wait" };
    const whenMissing = "seconds" in stated ? { ...stated, seconds: time / 5 } : stated;
    const faults = { schedule: [crash], ...(stated.kind === "stop" ? {} : { whenMissing }) };
    const options = { ...busyRun, strategy, faults, checkpointInterval: 1 };
    if (stated.kind === "stop") {
      await expect(run(options)).rejects.toThrow(/^Node 1 crashed at .*: /);
      return;
    }
    const first = await run(options);
    const told = first.events.flatMap((event) => (event.type === "fault" ? [event.kind] : []));
    expect(told).toContain("crash");
    // A run that ends before the node is back ends without it.
    const isBack = told.includes("recovered");
    expect(isBack || first.result.simulatedSeconds <= 0.7 * time).toBe(true);
    expect(stepsOf(first.events).map(({ step }) => step)).toEqual(
      stepsOf(plain.events).map(({ step }) => step),
    );
    expect(numbersOf(await run(options)), "again").toEqual(numbersOf(first));
    const steps = [...first.snapshots.keys()].filter((step) => step < STEPS);
    for (const step of steps) {
      const resumed = await run({ ...options, resume: first.snapshots.get(step)! });
      expect({ ...resumed.result, wallSeconds: 0 }, `resumed at step ${step}`).toEqual({
        ...first.result,
        wallSeconds: 0,
      });
    }
    if (strategy.kind !== "gradient" || !isBack) return;
    // What the nodes apply is the same on all of them again.
    const parameters = first.snapshots.get(STEPS)!.nodes.map((node) => parametersOf(node.tensors()));
    for (const own of parameters) expect(own).toEqual(parameters[0]);
  });

  test("can be stopped at any step and resumed to the same numbers", async () => {
    const options = { ...busyRun, strategy: row.create(adamW()) };
    const unbroken = await run(options);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: STEPS - 1 }), async (stopAt) => {
        const controller = new AbortController();
        const store = memoryStore();
        const stopped = run({
          ...options,
          checkpoints: store,
          signal: controller.signal,
          emit: (event) => {
            if (event.type === "step" && event.step === stopAt) controller.abort();
          },
        });
        // A run that has committed itself to its last steps when it is stopped ends as if it had not been.
        const ended = await stopped.then(
          () => true,
          (error: Error) => {
            expect(error.message).toMatch(
              new RegExp(`^Interrupted after step \\d+ of ${STEPS}\\. Checkpoint: memory:\\d+\\.$`),
            );
            return false;
          },
        );
        if (ended) return;
        const [resume] = store.snapshots.values();
        expect(resume!.step).toBeGreaterThanOrEqual(stopAt);
        const { result } = await run({ ...options, resume: resume! });
        expect({ ...result, wallSeconds: 0 }).toEqual({ ...unbroken.result, wallSeconds: 0 });
      }),
      { numRuns: 3 },
    );
  });
});
