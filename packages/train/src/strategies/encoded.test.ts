// Strategies whose all-reduce is encoded or overlaps with computing, against what they are without.

import { createRandom } from "@atoll/core";
import { adam, adamW, layoutOf, muon, sgd } from "@atoll/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sign } from "../compressors/sign.ts";
import type { FitResult } from "../localTrainer.ts";
import { startWorkers, type Workers, workerThreads } from "../node/workerThreads.ts";
import { parameterDistance, type RehearsalOptions, rehearse } from "../test/runs.ts";
import { onRanks } from "../test/world.ts";
import { allReduceWithFeedback } from "./errorFeedback.ts";
import { fragmentsOf } from "./fragments.ts";
import {
  ddp,
  diLoCo,
  eagerDiLoCo,
  int8AllReduce,
  muLoCo,
  nesterov,
  oneBitAdam,
  streamingDiLoCo,
} from "./index.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const run = (options: RehearsalOptions): ReturnType<typeof rehearse> =>
  rehearse({ executor: workerThreads(workers), maxSteps: 20, nodes: 3, seed: 3, ...options });
const fit = async (options: RehearsalOptions): Promise<FitResult> => (await run(options)).result;

describe("error feedback", () => {
  test("what arrived and the mean residual are all that was given, but for the second encoding's error", async () => {
    const [N, length, rounds] = [2, 40, 40];
    const vectors = Array.from({ length: N }, () => new Float32Array(length));
    const given = new Float64Array(length);
    const arrived = new Float64Array(length);
    const residuals = vectors.map(() => new Float32Array(length));
    await onRanks({ vectors }, async (node, rank) => {
      const random = createRandom(rank);
      for (let round = 0; round < rounds; round++) {
        const x = Float32Array.from({ length }, (_, i) => random.normal() + (i % 5) - 2);
        for (const [i, value] of x.entries()) given[i]! += value / N;
        const own = { x, residual: residuals[rank]!, transcoded: new Float32Array(length) };
        await allReduceWithFeedback(node.communicator, own, sign({ blockSize: 8 }));
        if (rank === 0) for (const [i, value] of x.entries()) arrived[i]! += value;
      }
    });
    // Signs alone tell nothing of sizes: with what is fed back, the sums follow those that were given.
    const angle = (a: Float64Array, b: Float64Array): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    expect(angle(given, arrived)).toBeGreaterThan(0.95);
  });
});

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe("int8AllReduce", () => {
  test("is DDP but for the rounding", async () => {
    const optimizer = sgd({ learningRate: 0.3 });
    const rounded = await fit({ strategy: int8AllReduce({ optimizer }) });
    const distance = parameterDistance(rounded, await fit({ strategy: ddp({ optimizer }) }));
    expect(distance).toBeGreaterThan(0);
    expect(distance).toBeLessThan(0.02);
  });

  test("turns no gradient around: signed values stay on their side of zero, or become it", async () => {
    const vectors = Array.from({ length: 4 }, () => new Float32Array(40));
    const strategy = int8AllReduce({ blockSize: 4 });
    const random = createRandom(2);
    const gradient = Float32Array.from({ length: 40 }, () => random.normal() * 10 ** random.integer(2));
    await onRanks({ vectors }, async (node) => {
      node.gradients.set(gradient);
      const update = (await strategy.exchange(node, strategy.init(node)))!;
      for (const [i, value] of update.entries()) expect(value * gradient[i]!).toBeGreaterThanOrEqual(0);
      expect(update.filter((value) => value < 0).length).toBeGreaterThan(5);
    });
  });
});

describe("oneBitAdam", () => {
  test("during warm-up it is Adam under DDP", async () => {
    const compressed = await fit({ strategy: oneBitAdam({ warmupSteps: 100 }) });
    const plain = await fit({ strategy: ddp({ optimizer: adam() }) });
    expect(parameterDistance(compressed, plain)).toBeLessThan(1e-5);
  });

  test("then its second moments stay, and all ranks have the same first ones", async () => {
    const { snapshots } = await run({
      strategy: oneBitAdam({ warmupSteps: 5 }),
      maxSteps: 12,
      checkpointInterval: 1,
    });
    const at = (step: number, rank: number, name: string) =>
      snapshots.get(step)!.nodes[rank]!.tensors()[`strategy.${name}`]!.data;
    expect(at(12, 0, "square")).toEqual(at(5, 0, "square"));
    expect(at(5, 0, "square")).not.toEqual(at(4, 0, "square"));
    expect(at(12, 0, "mean")).toEqual(at(12, 2, "mean"));
    expect(at(12, 0, "residual")).not.toEqual(at(12, 2, "residual"));
  });

  test("refuses an optimizer that would adapt once more", () => {
    expect(() => oneBitAdam({ optimizer: adamW() })).toThrow(/needs plain SGD/);
  });
});

describe("muLoCo", () => {
  test("not quantised it is DiLoCo with Muon", async () => {
    const plain = await fit({ strategy: diLoCo({ H: 5, optimizer: muon() }) });
    expect(parameterDistance(await fit({ strategy: muLoCo({ H: 5, quantise: false }) }), plain)).toBeLessThan(
      1e-5,
    );
    expect(parameterDistance(await fit({ strategy: muLoCo({ H: 5 }) }), plain)).toBeLessThan(0.2);
  });

  test("refuses another inner optimizer", () => {
    expect(() => muLoCo({ optimizer: adamW() })).toThrow(/expected Muon as the inner optimizer, got "adamW"/);
  });
});

describe("eagerDiLoCo", () => {
  test("with delay 0 it is DiLoCo", async () => {
    const eager = await fit({ strategy: eagerDiLoCo({ H: 5, delay: 0 }) });
    expect(parameterDistance(eager, await fit({ strategy: diLoCo({ H: 5 }) }))).toBe(0);
  });

  test("on one node, where nothing is late, it is DiLoCo", async () => {
    const options = { nodes: 1, maxSteps: 12 };
    const eager = await fit({ ...options, strategy: eagerDiLoCo({ H: 3 }) });
    expect(parameterDistance(eager, await fit({ ...options, strategy: diLoCo({ H: 3 }) }))).toBeLessThan(
      1e-5,
    );
  });

  test("applies a node's own part at once and the others' a round later", async () => {
    const vectors = [Float32Array.of(0), Float32Array.of(0)];
    const strategy = eagerDiLoCo({ H: 1, outer: nesterov({ learningRate: 1, momentum: 0 }) });
    const seen: number[][] = [[], []];
    await onRanks({ vectors }, async (node, rank) => {
      const state = strategy.init(node);
      for (let round = 1; round <= 3; round++) {
        if (round === 1) node.parameters[0]! += rank === 0 ? 2 : 6;
        node.step = round;
        await strategy.synchronise(node, state);
        seen[rank]!.push(node.parameters[0]!);
      }
      await node.communicator.started(state.values.handle!).wait();
    });
    // Half of the own 2 or 6 at once; in the next round the mean 4 with the own half taken back.
    expect(seen).toEqual([
      [1, 4, 4],
      [3, 4, 4],
    ]);
  });

  test("hides its all-reduce behind the next round's steps", async () => {
    const options: Partial<RehearsalOptions> = {
      compute: { kind: "measured", durations: [10] },
      network: { profile: "wan" },
    };
    const communication = async (strategy: RehearsalOptions["strategy"]): Promise<number> =>
      (await fit({ ...options, strategy })).nodes[0]!.communication;
    expect(await communication(diLoCo({ H: 3 }))).toBeGreaterThan(0);
    expect(await communication(eagerDiLoCo({ H: 3 }))).toBe(0);
  });
});

describe("streamingDiLoCo", () => {
  const plain = { fragments: 1, delay: 0, mixing: 0, quantise: false };

  test("in one piece, at once, unmixed and unquantised it is DiLoCo", async () => {
    const outer = nesterov();
    const whole = await fit({ strategy: streamingDiLoCo({ H: 5, ...plain, outer }) });
    expect(parameterDistance(whole, await fit({ strategy: diLoCo({ H: 5, outer }) }))).toBeLessThan(1e-5);
  });

  test("a layer is what comes first in a path, or first with a number", () => {
    const block = {
      norm: { weight: { shape: [2] } },
      mlp: [{ weight: { shape: [4] } }, { weight: { shape: [4] } }],
    };
    const deep = layoutOf({ model: { embedding: { shape: [3] }, layers: [block, block, block] } });
    const sizes = fragmentsOf(deep, 4).map(({ start, end }) => end - start);
    expect(sizes).toEqual([3, 10, 10, 10]);
    expect(() => fragmentsOf(deep, 5)).toThrow(
      "(4: model, model.layers.0, model.layers.1, model.layers.2), got 5",
    );
  });

  test("every layer is in one fragment, in strides", () => {
    const layer = { w: { shape: [2, 2] }, b: { shape: [2] } };
    const layout = layoutOf({ blocks: [0, 1, 2, 3].map(() => layer), output: layer });
    const fragments = fragmentsOf(layout, 2);
    const owner = (path: string): number => {
      const { offset } = layout.entries.find((entry) => entry.path === path)!;
      return fragments.findIndex(({ ranges }) =>
        ranges.some(({ start, end }) => start <= offset && offset < end),
      );
    };
    expect(["blocks.0.w", "blocks.1.b", "blocks.2.b", "blocks.3.w", "output.b"].map(owner)).toEqual([
      0, 1, 0, 1, 0,
    ]);
    const covered = fragments.flatMap(({ ranges }) => ranges.map(({ start, end }) => end - start));
    expect(covered.reduce((a, b) => a + b)).toBe(layout.size);
    expect(fragments.at(-1)!.end).toBe(layout.size);
  });

  test("hides its all-reduce behind inner steps", async () => {
    const options: Partial<RehearsalOptions> = {
      compute: { kind: "measured", durations: [10] },
      network: { profile: "wan" },
    };
    const communication = async (delay: number): Promise<number> =>
      (await fit({ ...options, strategy: streamingDiLoCo({ H: 6, delay }) })).nodes[0]!.communication;
    expect(await communication(0)).toBeGreaterThan(0);
    expect(await communication(1)).toBe(0);
  });

  test("refuses what cannot be", async () => {
    expect(() => streamingDiLoCo({ H: 5, delay: 5 })).toThrow(
      /"strategy.delay": expected less than H \(5\), got 5/,
    );
    expect(() => streamingDiLoCo({ H: 2, fragments: 3, delay: 0 })).toThrow(
      /expected at most H \(2\), got 3/,
    );
    await expect(fit({ strategy: streamingDiLoCo({ fragments: 3 }) })).rejects.toThrow(
      /at most the number of the model's layers \(2: hidden, output\), got 3/,
    );
  });
});
