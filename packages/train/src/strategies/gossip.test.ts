// Gossip against what it must conserve, where it must end, and its formulas in double precision.

import type { Communicator } from "@atoll/comm";
import { ConfigError, createRandom, InterruptedError, type Random, RunError, seconds } from "@atoll/core";
import { sgd } from "@atoll/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FitResult } from "../localTrainer.ts";
import { startWorkers, type Workers, workerThreads } from "../node/workerThreads.ts";
import { randomFaultyRun } from "../test/randomFaults.ts";
import {
  memoryStore,
  numbersOf,
  parameterDistance,
  perceptron,
  type RehearsalOptions,
  rehearse,
} from "../test/runs.ts";
import { onRanks } from "../test/world.ts";
import { adPsgd, fedAvg, type StrategyNode, type StrategyState, sgp } from "./index.ts";
import { mostPeers, neighboursOf, type PushGraph, pushGraphs } from "./pushGraph.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const run = (options: RehearsalOptions): ReturnType<typeof rehearse> =>
  rehearse({ executor: workerThreads(workers), maxSteps: 20, seed: 3, ...options });
const fit = async (options: RehearsalOptions): Promise<FitResult> => (await run(options)).result;

const LENGTH = 5;
const normals = (random: Random): Float32Array =>
  Float32Array.from({ length: LENGTH }, () => random.normal());
const randomVectors = (worldSize: number, seed: number): Float32Array[] =>
  Array.from({ length: worldSize }, (_, rank) => normals(createRandom(seed).derive("start", rank)));
/** What the local steps of a round add. */
const changeOf = (seed: number, rank: number, round: number): Float32Array =>
  normals(createRandom(seed).derive("change", rank, round));
const totals = (vectors: readonly Float32Array[]): number[] =>
  Array.from({ length: LENGTH }, (_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0));
/** How far vectors are from being the mean of others. */
const distanceToMean = (vectors: readonly Float32Array[], start: readonly Float32Array[]): number => {
  const means = totals(start).map((total) => total / start.length);
  return Math.max(...vectors.flatMap((vector) => means.map((mean, i) => Math.abs(vector[i]! - mean))));
};
const expectClose = (got: readonly number[], expected: readonly number[]): void => {
  for (const [i, value] of got.entries()) expect(value).toBeCloseTo(expected[i]!, 4);
};

interface PushWorld {
  readonly worldSize: number;
  readonly graph: PushGraph;
  readonly peers: number;
  readonly seed: number;
}

/** Worlds of 2 to 9 nodes in which each node has as many peers as the graph allows, or fewer. */
const pushWorlds: fc.Arbitrary<PushWorld> = fc
  .record({
    worldSize: fc.integer({ min: 2, max: 9 }),
    graph: fc.constantFrom(...pushGraphs),
    peers: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(1000),
  })
  .map((world) => ({ ...world, peers: Math.min(world.peers, mostPeers(world.graph, world.worldSize)) }));

describe("push graphs", () => {
  test("whom a node sends to hears from it, and every node has its number of peers", () => {
    fc.assert(
      fc.property(pushWorlds, fc.nat(100), ({ seed, ...world }, round) => {
        const random = createRandom(seed);
        const all = Array.from({ length: world.worldSize }, (_, rank) =>
          neighboursOf(rank, { ...world, round, random }),
        );
        for (const [rank, { out }] of all.entries()) {
          expect(new Set(out).size).toBe(world.peers);
          expect(out).not.toContain(rank);
          for (const target of out) expect(all[target]!.in).toContain(rank);
        }
        expect(all.flatMap((neighbours) => neighbours.in).length).toBe(world.worldSize * world.peers);
      }),
    );
  });

  test("with fewer nodes than peers, each sends to all that the graph gives it", () => {
    for (const graph of pushGraphs)
      for (const worldSize of [1, 2, 3]) {
        const world = { graph, worldSize, peers: 3, round: 0, random: createRandom(1) };
        const { out } = neighboursOf(0, world);
        expect(new Set(out).size).toBe(out.length);
        expect(out.length).toBe(mostPeers(graph, worldSize));
      }
  });

  test("the exponential graph goes through the powers of two", () => {
    const targets = [0, 1, 2, 3].map(
      (round) =>
        neighboursOf(3, { graph: "exponential", peers: 1, round, worldSize: 8, random: createRandom(0) }).out,
    );
    expect(targets).toEqual([[4], [5], [7], [4]]);
  });
});

/** Σⱼ pᵢⱼ xⱼ of a round, one number at a time. */
function mixed(xs: readonly number[], world: PushWorld, round: number): number[] {
  const random = createRandom(world.seed).derive("strategy");
  return xs.map((own, rank) => {
    const { in: sources } = neighboursOf(rank, { ...world, round, random });
    return sources.reduce((sum, source) => sum + xs[source]!, own) / (world.peers + 1);
  });
}

describe("sgp", () => {
  test("takes the steps of algorithm 1, and conserves Σx and Σw", async () => {
    await fc.assert(
      fc.asyncProperty(pushWorlds, async (world) => {
        const { worldSize, graph, peers, seed } = world;
        const strategy = sgp({ graph, peers });
        const vectors = randomVectors(worldSize, seed);
        const start = vectors.map((vector) => vector.slice());
        const weights = new Array<number>(worldSize).fill(0);
        const numerators: Float32Array[] = [];
        const rounds = 6;
        await onRanks({ vectors, seed }, async (node, rank) => {
          const state = strategy.init(node);
          for (let round = 0; round < rounds; round++) {
            for (const [i, change] of changeOf(seed, rank, round).entries()) node.parameters[i]! += change;
            node.step++;
            await strategy.synchronise(node, state);
          }
          weights[rank] = state.values.weight!;
          numerators[rank] = node.parameters.map((z) => z * weights[rank]!);
        });
        let w = start.map(() => 1);
        for (let round = 0; round < rounds; round++) w = mixed(w, world, round);
        expectClose(weights, w);
        expect(weights.reduce((a, b) => a + b)).toBeCloseTo(worldSize, 5);
        const added = start.flatMap((_, rank) =>
          Array.from({ length: rounds }, (_, round) => changeOf(seed, rank, round)),
        );
        expectClose(totals(numerators), totals([...start, ...added]));
        for (let i = 0; i < LENGTH; i++) {
          let x = start.map((vector) => vector[i]!);
          for (let round = 0; round < rounds; round++) {
            const stepped = x.map((value, rank) => value + changeOf(seed, rank, round)[i]!);
            x = mixed(stepped, world, round);
          }
          const expected = x.map((value, rank) => value / w[rank]!);
          expectClose(
            vectors.map((vector) => vector[i]!),
            expected,
          );
        }
      }),
      { numRuns: 40 },
    );
  });

  test("without gradients all parameters become the mean, however late messages are awaited", async () => {
    await fc.assert(
      fc.asyncProperty(pushWorlds, fc.nat(3), async (world, overlap) => {
        const { graph, peers, seed } = world;
        const worldSize = Math.min(world.worldSize, 5);
        fc.pre(peers <= mostPeers(graph, worldSize));
        const strategy = sgp({ graph, peers, overlap });
        const vectors = randomVectors(worldSize, seed);
        const start = vectors.map((vector) => vector.slice());
        await onRanks({ vectors, seed }, async (node) => {
          const state = strategy.init(node);
          for (node.step = 1; node.step <= 600; node.step++) await strategy.synchronise(node, state);
        });
        expect(distanceToMean(vectors, start)).toBeLessThan(1e-2);
      }),
      { numRuns: 12 },
    );
  });

  test("on one node it is the optimizer alone, on two it averages both", async () => {
    for (const nodes of [1, 2]) {
      const options = { nodes, model: perceptron({ rate: 0.2 }) };
      const pushed = await fit({ ...options, strategy: sgp() });
      expect(parameterDistance(pushed, await fit({ ...options, strategy: fedAvg() }))).toBe(0);
    }
  });

  test("overlapped messages travel while the nodes compute", async () => {
    const options: Partial<RehearsalOptions> = {
      nodes: 4,
      compute: { kind: "measured", durations: [10] },
      network: { profile: "wan" },
    };
    const communication = async (overlap: number): Promise<number> =>
      (await fit({ ...options, strategy: sgp({ overlap }) })).nodes[0]!.communication;
    expect(await communication(0)).toBeGreaterThan(0);
    expect(await communication(1)).toBe(0);
  });

  test.each(pushGraphs)("goes on with fewer nodes than its peers are, in the graph %s", async (graph) => {
    const crash = { kind: "crash", node: 1, at: 0.5 } as const;
    const { result, events } = await run({
      nodes: 3,
      maxSteps: 6,
      strategy: sgp({ graph, peers: mostPeers(graph, 3) }),
      compute: { kind: "measured", durations: [0.2] },
      faults: { schedule: [crash] },
    });
    expect(result.steps).toBe(6);
    // Two steps of three nodes, and four of two, which have one peer each.
    const { parameters } = events.find((event) => event.type === "runStarted")!;
    expect(result.bytesSent).toEqual([8, 4, 8].map((messages) => messages * 4 * (parameters + 1)));
    const without = events.filter((event) => event.type === "fault" && event.kind === "goneOn");
    expect(without.map((event) => "message" in event && event.message)).toEqual([
      expect.stringMatching(/^2 of 3 nodes exchange .*, without node 1\.$/),
    ]);
  });

  // Runs in which nodes took messages of an exchange that had broken off for those of a later step.
  test.each([12, 28, 56, 58, 133])(
    "takes no message of another step, whatever fails: seed %i",
    async (seed) => {
      const strategy = sgp({ peers: 2, optimizer: sgd({ learningRate: 0.05 }) });
      const stepOf = new WeakMap<Float32Array, number>();
      const steps: [sent: number | undefined, received: number][] = [];
      const watched = new Map<StrategyNode, StrategyNode>();
      const watch = (node: StrategyNode): StrategyNode => {
        const present = watched.get(node);
        if (present !== undefined) return present;
        const communicator = (): Partial<Communicator> => {
          const { rank, worldSize, start } = node.communicator;
          const { communicator: actual, step } = node;
          const send: typeof start.send = (vector, ...rest) => {
            stepOf.set(vector, step);
            return start.send(vector, ...rest);
          };
          const recv: typeof actual.recv = async (...from) => {
            const parcel = await actual.recv(...from);
            steps.push([stepOf.get(parcel.vector), step]);
            return parcel;
          };
          return { rank, worldSize, start: { ...start, send }, recv };
        };
        const made = Object.create(node, { communicator: { get: communicator } }) as StrategyNode;
        watched.set(node, made);
        return made;
      };
      const synchronise = (node: StrategyNode, state: StrategyState): Promise<void> =>
        strategy.synchronise(watch(node), state);
      await rehearse({ ...randomFaultyRun(seed), strategy: { ...strategy, synchronise } }).catch((error) => {
        expect(error).toBeInstanceOf(RunError);
      });
      expect(steps.length).toBeGreaterThan(0);
      for (const [sent, received] of steps) expect(sent).toBe(received);
    },
  );

  test("refuses more peers than the graph has", async () => {
    await expect(fit({ nodes: 4, strategy: sgp({ peers: 3 }) })).rejects.toThrow(
      'Option "strategy.peers": expected at most 2 in the graph "exponential" of 4 nodes, got 3.',
    );
    await expect(fit({ nodes: 2, strategy: sgp({ peers: 2, graph: "ring" }) })).rejects.toThrow(ConfigError);
    expect(() => sgp({ overlap: -1 })).toThrow('Option "strategy.overlap"');
  });
});

/** Random speeds of nodes that gossip for a while; then the passive nodes answer once more, and the active ones hear it. */
async function gossip(world: {
  readonly vectors: readonly Float32Array[];
  readonly seed: number;
  readonly rounds: number;
  readonly change: (rank: number, round: number) => ArrayLike<number>;
}): Promise<void> {
  const { vectors, seed, rounds, change } = world;
  const strategy = adPsgd();
  await onRanks({ vectors, seed }, async (node, rank, clock) => {
    const state = strategy.init(node);
    const speed = createRandom(seed).derive("speed", rank);
    const typical = 0.001 * (1 + speed.integer(5));
    for (; node.step < rounds; node.step++) {
      await strategy.begin!(node, state);
      const changes = change(rank, node.step);
      for (let i = 0; i < LENGTH; i++) node.parameters[i]! += changes[i]!;
      await clock.sleep(seconds(typical * speed.uniform()));
      await strategy.synchronise(node, state);
    }
    await clock.sleep(seconds(rank % 2 === 1 ? 10 : 20));
    await strategy.begin!(node, state);
  });
}

const adWorlds = fc.record({ worldSize: fc.integer({ min: 1, max: 9 }), seed: fc.nat(1000) });

describe("adPsgd", () => {
  test("exchanges conserve Σθ, whatever the nodes' speeds", async () => {
    await fc.assert(
      fc.asyncProperty(adWorlds, async ({ worldSize, seed }) => {
        const vectors = randomVectors(worldSize, seed);
        const start = vectors.map((vector) => vector.slice());
        const rounds = 12;
        await gossip({ vectors, seed, rounds, change: (rank, round) => changeOf(seed, rank, round) });
        const added = start.flatMap((_, rank) =>
          Array.from({ length: rounds }, (_, round) => changeOf(seed, rank, round)),
        );
        expectClose(totals(vectors), totals([...start, ...added]));
      }),
      { numRuns: 40 },
    );
  });

  test("without gradients all parameters become the mean", async () => {
    await fc.assert(
      fc.asyncProperty(adWorlds, async ({ worldSize, seed }) => {
        const vectors = randomVectors(worldSize, seed);
        const start = vectors.map((vector) => vector.slice());
        await gossip({ vectors, seed, rounds: 400, change: () => new Float32Array(LENGTH) });
        expect(distanceToMean(vectors, start)).toBeLessThan(1e-3);
      }),
      { numRuns: 15 },
    );
  });

  test("a pair's average is that of the parameters at the question and at the answer; later steps stay", async () => {
    const vectors = [Float32Array.of(0), Float32Array.of(8)];
    const strategy = adPsgd();
    const seen: number[][] = [[], []];
    await onRanks({ vectors }, async (node, rank, clock) => {
      const state = strategy.init(node);
      for (node.step = 0; node.step < 4; node.step++) {
        await strategy.begin!(node, state);
        seen[rank]!.push(node.parameters[0]!);
        node.parameters[0]! += 1;
        await clock.sleep(seconds(1));
      }
    });
    // Asked at 0 with 0, answered at 1 where the other has 9: both are 4.5 and what they have stepped since.
    expect(seen).toEqual([
      [0, 1, 6.5, 7.5],
      [8, 4.5, 5.5, 6.5],
    ]);
  });

  test("no node waits, even for a slow one; every message has P floats", async () => {
    const { result, events } = await run({
      strategy: adPsgd({ optimizer: sgd({ learningRate: 0.1 }) }),
      nodes: 5,
      compute: { kind: "measured", durations: [0.01, 0.1, 1] },
      network: { profile: "mobile" },
    });
    for (const { communication, waiting } of result.nodes) expect([communication, waiting]).toEqual([0, 0]);
    expect(Math.max(...result.nodes.map(({ compute }) => compute))).toBeCloseTo(result.simulatedSeconds, 9);
    const sent = events.flatMap((event) => (event.type === "collective" ? [event] : []));
    expect(new Set(sent.map(({ operation }) => operation))).toEqual(new Set(["send"]));
    const total = result.bytesSent.reduce((a, b) => a + b);
    expect(total).toBe(sent.length * 4 * result.parameterCount);
    const questions = sent.filter(({ ranks }) => ranks[0]! % 2 === 0).length;
    const open = questions - (sent.length - questions);
    expect(open).toBeGreaterThanOrEqual(0);
    expect(open).toBeLessThanOrEqual(3);
  });

  test.each([0, 1, 2, 3])(
    "all active nodes ask on after node %i was lost with a question or an answer",
    async (node) => {
      // A question is on its way, or lies with the node, or its answer is: whenever in a step the node crashes.
      for (let at = 5.005; at < 5.2; at += 0.04) {
        const { events } = await run({
          strategy: adPsgd(),
          nodes: 4,
          maxSteps: 200,
          compute: { kind: "measured", durations: [0.1] },
          network: { profile: "wan" },
          faults: { schedule: [{ kind: "crash", node, at, rejoin: at + 2 }] },
        });
        const late = events.flatMap((event) =>
          event.type === "collective" && event.ready[0]! > 16 ? [event.ranks[0]!] : [],
        );
        expect(new Set(late), `crash at ${at}`).toEqual(new Set([0, 1, 2, 3]));
      }
    },
  );

  test("evaluations, checkpoints and interrupts do not show in the numbers, nor does going on from them", async () => {
    const runs = fc.record({
      nodes: fc.integer({ min: 1, max: 5 }),
      H: fc.constantFrom(1, 2, 5, 40),
      interval: fc.integer({ min: 1, max: 9 }),
      stopAfter: fc.integer({ min: 1, max: 150 }),
      seed: fc.nat(1000),
    });
    await fc.assert(
      fc.asyncProperty(runs, async ({ nodes, H, interval, stopAfter, seed }) => {
        const options: RehearsalOptions = {
          strategy: adPsgd({ H }),
          nodes,
          seed,
          maxSteps: H > 5 ? 90 : 25,
          compute: { kind: "measured", durations: [0.05, 0.1, 0.4] },
          network: { profile: "mobile" },
        };
        const unbroken = numbersOf(await run(options));
        const saved = await run({ ...options, checkpointInterval: interval });
        expect(numbersOf(saved)).toEqual(unbroken);
        const { result } = saved;
        for (const resume of [...saved.snapshots.values()].slice(-2)) {
          const resumed = await run({ ...options, resume });
          expect({ ...resumed.result, wallSeconds: 0 }).toEqual({ ...result, wallSeconds: 0 });
        }
        const controller = new AbortController();
        const checkpoints = memoryStore();
        let events = 0;
        const emit = (): void => {
          if (++events === stopAfter) controller.abort();
        };
        const stopped = run({ ...options, checkpoints, emit, signal: controller.signal });
        if (await stopped.then(() => false, isInterrupt)) {
          const [resume] = checkpoints.snapshots.values();
          const resumed = await run({ ...options, resume: resume! });
          expect({ ...resumed.result, wallSeconds: 0 }).toEqual({ ...result, wallSeconds: 0 });
        }
      }),
      { numRuns: 8 },
    );
  });
});

function isInterrupt(error: unknown): boolean {
  expect(error).toBeInstanceOf(InterruptedError);
  return true;
}
