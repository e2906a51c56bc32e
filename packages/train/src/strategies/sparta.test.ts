// SPARTA and NoLoCo against what they are known to equal, and the properties of index selectors.

import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FitResult } from "../localTrainer.ts";
import { startWorkers, type Workers, workerThreads } from "../node/workerThreads.ts";
import { parameterDistance, type RehearsalOptions, rehearse } from "../test/runs.ts";
import { onRanks } from "../test/world.ts";
import { diLoCo, fedAvg, noLoCo, sparta, spartaDiLoCo } from "./index.ts";
import { indexSelector, selectorKinds } from "./indexSelectors.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const fit = async (options: RehearsalOptions): Promise<FitResult> =>
  (await rehearse({ executor: workerThreads(workers), maxSteps: 20, nodes: 3, seed: 3, ...options })).result;

const sizes = fc
  .integer({ min: 1, max: 60 })
  .chain((length) => fc.record({ length: fc.constant(length), count: fc.integer({ min: 1, max: length }) }));

describe.each(selectorKinds)("selector %s", (kind) => {
  test("chooses exactly as many different elements as asked, the same for the same round", () => {
    const selector = indexSelector(kind);
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 50 }), fc.nat(99), ({ length, count }, round, seed) => {
        const random = createRandom(seed);
        const chosen = selector({ random, round, length, count });
        expect(new Set(chosen).size).toBe(count);
        for (const index of chosen) expect(index).toBeLessThan(length);
        expect(indexSelector(kind)({ random, round, length, count })).toEqual(chosen);
      }),
    );
  });

  test("comes to all elements equally often in the long run", () => {
    const random = createRandom(1);
    const uses = new Uint32Array(20);
    const selector = indexSelector(kind);
    for (let round = 1; round <= 4000; round++)
      for (const index of selector({ random, round, length: 20, count: 3 })) uses[index]!++;
    for (const use of uses) expect(Math.abs(use - 600)).toBeLessThan(100); // 4.4 standard deviations of the random one
  });
});

test("a partition has no element twice", () => {
  const selector = indexSelector("partitioned");
  const random = createRandom(5);
  const rounds = [1, 2, 3, 4].map((round) => [...selector({ random, round, length: 21, count: 5 })]);
  expect(new Set(rounds.flat()).size).toBe(20);
});

describe("sparta", () => {
  test.each(selectorKinds)("with p = 1 it is full averaging, chosen by %s", async (selector) => {
    const sparse = await fit({ strategy: sparta({ p: 1, selector, interval: 2 }) });
    const full = await fit({ strategy: fedAvg({ H: 2 }) });
    expect(parameterDistance(sparse, full)).toBeLessThan(1e-5);
  });

  test("averages the chosen elements and no other", async () => {
    const vectors = Array.from({ length: 4 }, (_, rank) => new Float32Array(50).fill(2 ** rank));
    const strategy = sparta({ p: 0.2 });
    await onRanks({ vectors }, async (node) => {
      node.step = 1;
      await strategy.synchronise(node, strategy.init(node));
    });
    const changed = vectors.map((vector, rank) => [...vector.keys()].filter((i) => vector[i] !== 2 ** rank));
    expect(changed[0]).toHaveLength(10);
    for (const [rank, indices] of changed.entries()) {
      expect(indices).toEqual(changed[0]);
      for (const i of indices) expect(vectors[rank]![i]).toBe(15 / 4);
    }
  });

  test("with a delay of d an average arrives d rounds later", async () => {
    const vectors = [Float32Array.of(0, 0), Float32Array.of(4, 4)];
    const strategy = sparta({ p: 1, delay: 2 });
    const seen: number[] = [];
    await onRanks({ vectors }, async (node, rank) => {
      const state = strategy.init(node);
      for (let step = 1; step <= 4; step++) {
        for (let i = 0; i < 2; i++) node.parameters[i]! += step; // what the local steps change
        node.step = step;
        await strategy.synchronise(node, state);
        if (rank === 0) seen.push(node.parameters[0]!);
      }
    });
    // Means: 3 after step 1, 5 after step 2; they are written in rounds 3 and 4.
    expect(seen).toEqual([1, 3, 3, 5]);
  });

  test("refuses a part above 1", () => {
    expect(() => sparta({ p: 1.5 })).toThrow(/Option "strategy.p"/);
    expect(() => sparta({ delay: -1 })).toThrow(/Option "strategy.delay"/);
  });
});

test("spartaDiLoCo with p = 0 is DiLoCo", async () => {
  const both = await fit({ strategy: spartaDiLoCo({ p: 0, interval: 3, H: 5 }) });
  expect(parameterDistance(both, await fit({ strategy: diLoCo({ H: 5 }) }))).toBeLessThan(1e-5);
});

describe("noLoCo", () => {
  test("with η = 1 and μ = 0 pairs average their parameters", async () => {
    const options = { nodes: 5 };
    const paired = await fit({ ...options, strategy: noLoCo({ H: 3, learningRate: 1, momentum: 0 }) });
    const islands = await fit({ ...options, strategy: fedAvg({ H: 3, islandSize: 2 }) });
    expect(parameterDistance(paired, islands)).toBeLessThan(1e-5);
  });

  test("both ends of a pair take the same mean change, and lose a part η of their distance", async () => {
    const [eta, starts] = [0.7, [1, 5]];
    const vectors = starts.map((start) => Float32Array.of(start));
    const strategy = noLoCo({ H: 1, learningRate: eta, momentum: 0 });
    await onRanks({ vectors }, async (node, rank) => {
      const state = strategy.init(node);
      node.parameters[0]! += 1 + rank; // changes of 1 and 2: their mean is 1.5
      node.step = 1;
      await strategy.synchronise(node, state);
    });
    expect(vectors[0]![0]).toBeCloseTo(1 + eta * 1.5 + eta * (3 - 1), 5);
    expect(vectors[1]![0]).toBeCloseTo(5 + eta * 1.5 + eta * (3 - 5), 5);
  });
});
