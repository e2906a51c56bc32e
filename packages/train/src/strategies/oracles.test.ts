// Strategies against what they are known to equal: each other in special cases, one large node, and their formulas in
// double precision.

import { ConfigError, createRandom } from "@atoll/core";
import { chain, clipByGlobalNorm, type Optimizer, sgd } from "@atoll/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Dataset, tableDataset } from "../data/index.ts";
import type { FitResult } from "../localTrainer.ts";
import { startWorkers, type Workers, workerThreads } from "../node/workerThreads.ts";
import { clouds, parameterDistance, perceptron, type RehearsalOptions, rehearse } from "../test/runs.ts";
import { onRanks } from "../test/world.ts";
import { adagradOuter, adamOuter, yogiOuter } from "./adaptiveOuter.ts";
import { ddp, diLoCo, fedAvg, nesterov, type ParameterStrategy } from "./index.ts";

const TOLERANCE = 1e-5;
const STEPS = 20;

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const fit = async (options: RehearsalOptions): Promise<FitResult> =>
  (await rehearse({ executor: workerThreads(workers), maxSteps: STEPS, ...options })).result;

/** The examples of a table at `indices`, as a table of their own. */
function rows({ source, size, name, classes }: Dataset, indices: readonly number[]): Dataset {
  if (source.kind !== "table") throw new Error("a test's data set is a table");
  const width = source.x.length / size;
  const x = Float32Array.from(indices.flatMap((i) => [...source.x.subarray(i * width, (i + 1) * width)]));
  const y = Int32Array.from(indices, (i) => source.y[i]!);
  return tableDataset({ name, x, y, xShape: source.xShape, classes: classes! });
}

/** Node r's part of each step's examples, so that N nodes with batch B see in a step what one node with N·B sees. */
const dealt =
  (data: Dataset, B: number) =>
  (rank: number, N: number): Dataset =>
    rows(
      data,
      Array.from({ length: STEPS * B }, (_, i) => Math.floor(i / B) * N * B + rank * B + (i % B)),
    );

describe("ddp", () => {
  const N = 3;
  const B = 8;
  const data = clouds(STEPS * N * B);
  const pair = (optimizer: Optimizer): Promise<readonly [FitResult, FitResult]> => {
    const common = { strategy: ddp({ optimizer }), shuffle: false };
    return Promise.all([
      fit({ ...common, nodes: N, batchSize: B, train: dealt(data, B) }),
      rehearse({ ...common, maxSteps: STEPS, nodes: 1, batchSize: N * B, train: data }).then(
        ({ result }) => result,
      ),
    ]);
  };

  test("N nodes with batch B take the steps of one node with batch N·B", async () => {
    const [many, one] = await pair(sgd({ learningRate: 0.2, momentum: 0.9 }));
    expect(parameterDistance(many, one)).toBeLessThan(TOLERANCE);
  });

  test("clips the mean gradient, not each node's", async () => {
    const optimizer = chain(clipByGlobalNorm(0.05), sgd({ learningRate: 0.5 }));
    const [many, one] = await pair(optimizer);
    expect(parameterDistance(many, one)).toBeLessThan(TOLERANCE);
    const unclipped = await fit({
      strategy: ddp({ optimizer: sgd({ learningRate: 0.5 }) }),
      shuffle: false,
      nodes: N,
      train: dealt(data, B),
    });
    expect(parameterDistance(many, unclipped), "the norm is above the limit").toBeGreaterThan(0.1);
  });
});

describe("fedAvg", () => {
  test("with H = 1 and plain SGD it is DDP", async () => {
    const optimizer = sgd({ learningRate: 0.3 });
    const options = { nodes: 3, seed: 3 };
    const averaged = await fit({ ...options, strategy: fedAvg({ H: 1, optimizer }) });
    const reduced = await fit({ ...options, strategy: ddp({ optimizer }) });
    expect(parameterDistance(averaged, reduced)).toBeLessThan(TOLERANCE);
  });

  test("weighs nodes by their shares: θ = Σ nₖ/n θₖ", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 1000 }),
        async (sizes, seed) => {
          const total = sizes.reduce((a, b) => a + b);
          const vectors = randomVectors(sizes.length, 5, seed);
          const expected = vectors[0]!.map((_, i) =>
            vectors.reduce((sum, vector, rank) => sum + (sizes[rank]! / total) * vector[i]!, 0),
          );
          const shares = sizes.map((size) => size / total);
          const strategy = fedAvg({ weighting: "share" });
          await onRanks({ vectors, shares }, (node) => strategy.synchronise(node, strategy.init(node)));
          for (const vector of vectors) expectClose(vector, expected);
        },
      ),
    );
  });

  test("islands: every rank in one, of the size asked for, drawn anew each round, the same for the same seed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 9 }).chain((N) => fc.tuple(fc.constant(N), fc.integer({ min: 1, max: N }))),
        fc.integer({ min: 0, max: 1000 }),
        async ([worldSize, islandSize], seed) => {
          const rounds = await islandsOf(worldSize, islandSize, seed, 4);
          expect(await islandsOf(worldSize, islandSize, seed, 4)).toEqual(rounds);
          const full = Math.floor(worldSize / islandSize);
          const sizes = [...Array(full).fill(islandSize), worldSize % islandSize].filter((M) => M > 1);
          for (const round of rounds) {
            expect(round.map((ranks) => ranks.length).sort()).toEqual(sizes.sort());
            expect(new Set(round.flat()).size).toBe(round.flat().length);
          }
        },
      ),
      { numRuns: 30 },
    );
    const rounds = await islandsOf(9, 4, 1, 8);
    expect(new Set(rounds.map((round) => JSON.stringify([...round].sort()))).size).toBe(8);
    expect(await islandsOf(9, 4, 2, 8)).not.toEqual(rounds);
  });

  test("an island's members end with its mean, the others keep out of it", async () => {
    const vectors = Array.from({ length: 5 }, (_, rank) => Float32Array.of(2 ** rank));
    const strategy = fedAvg({ islandSize: 2 });
    const collectives = await onRanks({ vectors, seed: 4 }, async (node) => {
      node.step = 1;
      await strategy.synchronise(node, strategy.init(node));
    });
    expect(collectives).toHaveLength(2);
    const alone = [0, 1, 2, 3, 4].filter((rank) => !collectives.some(({ ranks }) => ranks.includes(rank)));
    expect(alone).toHaveLength(1);
    expect(vectors[alone[0]!]![0]).toBe(2 ** alone[0]!);
    for (const { ranks } of collectives)
      for (const rank of ranks) expect(vectors[rank]![0]).toBe((2 ** ranks[0]! + 2 ** ranks[1]!) / 2);
  });

  test("refuses what cannot be, before any work", async () => {
    expect(() => fedAvg({ H: 0 })).toThrow(ConfigError);
    expect(() => fedAvg({ islandSize: 0 })).toThrow(ConfigError);
    expect(() => fedAvg({ H: 2, islands: 3 } as object)).toThrow(/Unknown option "strategy.islands"/);
    await expect(fit({ strategy: fedAvg({ islandSize: 4 }), nodes: 3 })).rejects.toThrow(
      'Option "strategy.islandSize": expected at most the number of nodes (3), got 4.',
    );
  });
});

describe("diLoCo", () => {
  test("with η = 1 and μ = 0 it is FedAvg", async () => {
    const options = { nodes: 3, seed: 3, model: perceptron({ rate: 0.2 }) };
    const outer = nesterov({ learningRate: 1, momentum: 0 });
    const moved = await fit({ ...options, strategy: diLoCo({ H: 5, outer }) });
    const averaged = await fit({ ...options, strategy: fedAvg({ H: 5 }) });
    expect(parameterDistance(moved, averaged)).toBeLessThan(TOLERANCE);
  });

  test("takes the outer steps of its formula, round after round", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          worldSize: fc.integer({ min: 1, max: 5 }),
          learningRate: fc.double({ min: 0.1, max: 1, noNaN: true }),
          momentum: fc.double({ min: 0, max: 0.95, noNaN: true }),
          seed: fc.integer({ min: 0, max: 1000 }),
        }),
        async ({ worldSize, learningRate, momentum, seed }) => {
          const strategy = diLoCo({ H: 1, outer: nesterov({ learningRate, momentum }) });
          const start = randomVectors(1, 7, seed)[0]!;
          const vectors = Array.from({ length: worldSize }, () => start.slice());
          const expected = outerSteps(start, { worldSize, learningRate, momentum, seed });
          await localChanges(vectors, strategy, seed);
          for (const vector of vectors) expectClose(vector, expected);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("refuses what cannot be", () => {
    expect(() => diLoCo({ H: 0 })).toThrow(ConfigError);
    expect(() => nesterov({ momentum: 1 })).toThrow('Option "strategy.outer.momentum"');
    expect(() => nesterov({ learningRate: 0 })).toThrow(ConfigError);
    expect(() => adamOuter({ b1: 2 })).toThrow('Option "strategy.outer.b1"');
    expect(() => yogiOuter({ tau: -1 })).toThrow('Option "strategy.outer.tau"');
    expect(() => adagradOuter({ b2: 0.9 } as object)).toThrow('Unknown option "strategy.outer.b2"');
    expect(() => ddp({ H: 3 } as object)).toThrow('Unknown option "strategy.H"');
  });
});

const ROUNDS = 5;

/** What a rank's local steps change in a round, the same for the strategy and for its reference. */
const change = (seed: number, rank: number, round: number, length: number): Float32Array => {
  const random = createRandom(seed).derive("change", rank, round);
  return Float32Array.from({ length }, () => random.normal());
};

/** Lets a strategy act on vectors that every rank changes between the rounds. */
async function localChanges(
  vectors: readonly Float32Array[],
  strategy: ParameterStrategy,
  seed: number,
): Promise<void> {
  await onRanks({ vectors }, async (node, rank) => {
    const state = strategy.init(node);
    for (let round = 0; round < ROUNDS; round++) {
      const moved = change(seed, rank, round, node.parameters.length);
      for (let i = 0; i < moved.length; i++) node.parameters[i]! += moved[i]!;
      node.step++;
      await strategy.synchronise(node, state);
    }
  });
}

/** Algorithm 1 of DiLoCo with Nesterov momentum, one number at a time, in double precision. */
function outerSteps(
  start: Float32Array,
  options: {
    readonly worldSize: number;
    readonly learningRate: number;
    readonly momentum: number;
    readonly seed: number;
  },
): number[] {
  const { worldSize, learningRate, momentum, seed } = options;
  return Array.from(start, (value, i) => {
    let theta: number = value;
    let m = 0;
    for (let round = 0; round < ROUNDS; round++) {
      let delta = 0;
      for (let rank = 0; rank < worldSize; rank++)
        delta += (theta - (theta + change(seed, rank, round, start.length)[i]!)) / worldSize;
      m = momentum * m + delta;
      theta -= learningRate * (delta + momentum * m);
    }
    return theta;
  });
}

function randomVectors(count: number, length: number, seed: number): Float32Array[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => Float32Array.from({ length }, () => random.normal()));
}

/** Equal to 1e-5 of the largest value, since small ones are differences of large ones. */
function expectClose(got: Float32Array, expected: ArrayLike<number>): void {
  const scale = Math.max(1, ...Array.from(expected, Math.abs));
  for (const [i, value] of got.entries())
    expect(Math.abs(value - expected[i]!) / scale).toBeLessThan(TOLERANCE);
}

/** The groups that averaged together, by round; islands of one node send nothing. */
async function islandsOf(
  worldSize: number,
  islandSize: number,
  seed: number,
  rounds: number,
): Promise<readonly (readonly (readonly number[])[])[]> {
  const strategy = fedAvg({ islandSize });
  const result: (readonly number[])[][] = [];
  for (let round = 1; round <= rounds; round++) {
    const vectors = randomVectors(worldSize, 3, 1);
    const collectives = await onRanks({ vectors, seed }, async (node) => {
      node.step = round;
      await strategy.synchronise(node, strategy.init(node));
    });
    result.push(collectives.map(({ ranks }) => ranks));
  }
  return result;
}
