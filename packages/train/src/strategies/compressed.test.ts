// Strategies that compress what they send, against what they are when they do not, and what no compression may lose.

import { createRandom } from "@atoll/core";
import { adam, adamW, chain, clipByGlobalNorm, layoutOf, muon, sgd, type VectorLayout } from "@atoll/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chunkedDct } from "../compressors/chunkedDct.ts";
import type { FitResult } from "../localTrainer.ts";
import { startWorkers, type Workers, workerThreads } from "../node/workerThreads.ts";
import { lowRankError } from "../test/lowRankError.ts";
import { parameterDistance, type RehearsalOptions, rehearse } from "../test/runs.ts";
import { onRanks } from "../test/world.ts";
import {
  ddp,
  deMo,
  dgc,
  diLoCo,
  type GradientStrategy,
  nesterov,
  powerSgd,
  qsgd,
  type StrategyState,
  sparseLoCo,
} from "./index.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const fit = async (options: RehearsalOptions): Promise<FitResult> =>
  (await rehearse({ executor: workerThreads(workers), maxSteps: 20, nodes: 3, seed: 3, ...options })).result;

const normals = (length: number, ...labels: readonly number[]): Float32Array => {
  const random = createRandom(1).derive(...labels);
  return Float32Array.from({ length }, () => random.normal());
};

interface Exchanged {
  /** Each rank's gradients as they were, [step][rank]. */
  readonly given: readonly (readonly Float32Array[])[];
  /** What the optimizer got, the same on all ranks, [step]. */
  readonly applied: readonly Float32Array[];
  /** Each rank's state at the end. */
  readonly states: readonly StrategyState[];
}

interface ExchangeOptions {
  readonly layout?: VectorLayout;
  readonly steps?: number;
  /** Gradients of the first step, by rank; random if left out, as those of the others are. */
  readonly first?: readonly Float32Array[];
}

/** Lets a strategy exchange random gradients for some steps. */
async function exchange(
  strategy: GradientStrategy,
  N: number,
  { layout = layoutOf({ x: { shape: [40] } }), steps = 6, first }: ExchangeOptions = {},
): Promise<Exchanged> {
  const length = layout.size;
  const given = Array.from({ length: steps }, (_, step) =>
    Array.from({ length: N }, (_, rank) => (step === 0 && first?.[rank]) || normals(length, step, rank)),
  );
  const applied: Float32Array[] = [];
  const states: StrategyState[] = [];
  const vectors = Array.from({ length: N }, () => new Float32Array(length));
  await onRanks({ vectors, layout }, async (node, rank) => {
    const state = strategy.init(node);
    states[rank] = state;
    for (const [step, gradients] of given.entries()) {
      node.gradients.set(gradients[rank]!);
      node.step = step;
      const update = (await strategy.exchange(node, state)) ?? node.gradients;
      applied[step] ??= update.slice();
      expect(update, `rank ${rank} after step ${step}`).toEqual(applied[step]);
    }
  });
  return { given, applied, states };
}

const meanOf = (vectors: readonly Float32Array[]): number[] =>
  Array.from(vectors[0]!, (_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length);
const sumOf = (vectors: readonly (readonly number[] | Float32Array)[]): number[] =>
  Array.from(vectors[0]!, (_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0));

function expectClose(got: ArrayLike<number>, expected: ArrayLike<number>, digits = 5): void {
  expect(got.length).toBe(expected.length);
  for (let i = 0; i < got.length; i++) expect(got[i]).toBeCloseTo(expected[i]!, digits);
}

describe("dgc", () => {
  test("with density 1 it is DDP", async () => {
    const optimizer = adamW();
    const all = await fit({ strategy: dgc({ density: 1, momentum: 0, optimizer }) });
    expect(parameterDistance(all, await fit({ strategy: ddp({ optimizer }) }))).toBeLessThan(1e-5);
  });

  test("loses nothing: what was applied and the mean residual are the sum of all gradients", async () => {
    const { given, applied, states } = await exchange(dgc({ density: 0.1, momentum: 0 }), 3);
    const left = meanOf(states.map(({ tensors }) => tensors.residual!));
    expectClose(sumOf([...applied, left]), sumOf(given.map(meanOf)));
  });

  test("sends k = ⌊density · P⌋ elements, those that have grown most, and clears their momentum", async () => {
    const { applied, states } = await exchange(dgc({ density: 0.1 }), 1, { steps: 3 });
    for (const update of applied) expect(update.filter((value) => value !== 0)).toHaveLength(4);
    const { velocity, residual } = states[0]!.tensors;
    const smallestSent = Math.min(
      ...applied
        .at(-1)!
        .filter((value) => value !== 0)
        .map(Math.abs),
    );
    for (const [i, value] of applied.at(-1)!.entries()) {
      if (value !== 0) expect([velocity![i], residual![i]]).toEqual([0, 0]);
      else expect(Math.abs(residual![i]!)).toBeLessThanOrEqual(smallestSent);
    }
  });

  test("refuses a density above 1", () => {
    expect(() => dgc({ density: 1.1 })).toThrow(/Option "strategy.density"/);
  });

  test.each([
    [sgd({ learningRate: 0.1, momentum: 0.9 }), /applied twice: .* got "sgd" with momentum\. Choose/],
    [adamW(), /got "adamW" with scaleByAdam/],
    [muon(), /got "muon" with scaleByMuon/],
    [chain(clipByGlobalNorm(1), adam()), /with scaleByAdam/],
  ])("refuses momentum on top of its own: %o", (optimizer, message) => {
    expect(() => dgc({ optimizer })).toThrow(message);
    expect(dgc({ momentum: 0, optimizer }).optimizer).toBe(optimizer);
  });

  test("takes an optimizer that decays and clips", () => {
    const optimizer = chain(clipByGlobalNorm(1), sgd({ learningRate: 0.1, weightDecay: 0.1 }));
    expect(dgc({ optimizer }).optimizer).toBe(optimizer);
  });
});

describe("qsgd", () => {
  test("with very many levels it is DDP", async () => {
    const optimizer = sgd({ learningRate: 0.3 });
    const fine = await fit({ strategy: qsgd({ levels: 2 ** 20, optimizer }) });
    expect(parameterDistance(fine, await fit({ strategy: ddp({ optimizer }) }))).toBeLessThan(1e-5);
  });

  test("rounds anew on each rank and step: over many steps the mean gradient comes out", async () => {
    const gradient = normals(30, 1);
    const strategy = qsgd({ levels: 2, bucketSize: 30 });
    const steps = 3000;
    const total = new Float64Array(30);
    const vectors = [new Float32Array(30), new Float32Array(30)];
    await onRanks({ vectors }, async (node, rank) => {
      for (let step = 0; step < steps; step++) {
        node.gradients.set(gradient);
        node.step = step;
        const update = await strategy.exchange(node, strategy.init(node));
        if (rank === 0) for (const [i, value] of update!.entries()) total[i]! += value / steps;
      }
    });
    const most = Math.max(...gradient.map(Math.abs));
    for (const [i, value] of gradient.entries())
      expect(Math.abs(total[i]! - value)).toBeLessThan((5 * most) / 2 / Math.sqrt(2 * steps));
  });

  test("refuses levels that are no power of two", () => {
    expect(() => qsgd({ levels: 100 })).toThrow(/Option "strategy.levels": expected a power of two, got 100/);
  });
});

describe("deMo", () => {
  test("with all coefficients sent it is the sign of the mean gradient", async () => {
    const { given, applied } = await exchange(deMo({ chunkSize: 8, topK: 8 }), 3);
    for (const [step, update] of applied.entries())
      expect([...update]).toEqual(meanOf(given[step]!).map(Math.sign));
  });

  test.each([1, 3, 7])(
    "what is left of the momentum and what was sent (%i) are the momentum",
    async (topK) => {
      const rate = 0.5;
      const strategy = deMo({ chunkSize: 8, topK, optimizer: sgd({ learningRate: rate }) });
      const { given, states } = await exchange(strategy, 1, { steps: 1 });
      const left = states[0]!.tensors.spectrum!;
      const whole = new Float32Array(40);
      const dct = chunkedDct(layoutOf({ x: { shape: [40] } }), 8);
      dct.forward(given[0]![0]!, new Float32Array(dct.scratch), (chunk, coefficients) =>
        whole.set(coefficients, dct.chunks[chunk]!.start),
      );
      for (const { start, end } of dct.chunks) {
        const places = Array.from({ length: end - start }, (_, i) => start + i);
        const kept = places.filter((i) => left[i] !== 0);
        for (const i of kept) expect(left[i]).toBeCloseTo(rate * whole[i]!, 6);
        expect(kept.length).toBe(8 - topK);
        const most = Math.max(...kept.map((i) => Math.abs(whole[i]!)));
        const sent = places.filter((i) => left[i] === 0);
        for (const i of sent) expect(Math.abs(whole[i]!), "the largest were sent").toBeGreaterThan(most);
      }
    },
  );

  test("refuses an optimizer that would work on signs as if they were gradients", () => {
    expect(() => deMo({ optimizer: adamW() })).toThrow(
      /needs plain SGD .* got optimizer "adamW" with scaleByAdam/,
    );
    expect(() => deMo({ chunkSize: 1000 })).toThrow(/Option "strategy.chunkSize"/);
  });
});

describe("sparseLoCo", () => {
  test("with everything sent as it is, it is an outer step of plain SGD", async () => {
    for (const learningRate of [1, 0.6]) {
      const whole = sparseLoCo({ H: 5, density: 1, beta: 0, quantise: false, learningRate });
      const outer = nesterov({ learningRate, momentum: 0 });
      const plain = await fit({ strategy: diLoCo({ H: 5, outer }) });
      expect(parameterDistance(await fit({ strategy: whole }), plain)).toBeLessThan(1e-5);
    }
  });

  test("loses nothing with β just below 1: anchor's way and mean residual are the sum of changes", async () => {
    const [N, length, rounds] = [3, 50, 6];
    const strategy = sparseLoCo({ H: 1, density: 0.1, chunkSize: 16, beta: 1 - 1e-12 });
    const vectors = Array.from({ length: N }, () => new Float32Array(length));
    const states: StrategyState[] = [];
    const changes: Float32Array[] = [];
    await onRanks({ vectors }, async (node, rank) => {
      const state = strategy.init(node);
      states[rank] = state;
      for (let round = 1; round <= rounds; round++) {
        const change = normals(length, round, rank);
        changes.push(change);
        for (let i = 0; i < length; i++) node.parameters[i]! += change[i]!;
        node.step = round;
        await strategy.synchronise(node, state);
      }
    });
    for (const vector of vectors) expect(vector).toEqual(vectors[0]);
    // The residual counts against the change: e = θ₀ − θ.
    const left = meanOf(states.map(({ tensors }) => tensors.residual!));
    const total = sumOf(changes).map((value) => value / N);
    expectClose(
      vectors[0]!.map((value, i) => value - left[i]!),
      total,
      4,
    );
  });
});

describe("powerSgd", () => {
  test("at full rank it is DDP", async () => {
    const optimizer = sgd({ learningRate: 0.3 });
    const full = await fit({ strategy: powerSgd({ rank: 8, optimizer }) });
    expect(parameterDistance(full, await fit({ strategy: ddp({ optimizer }) }))).toBeLessThan(1e-4);
  });

  test.each([0, 1])("a gradient of rank %i costs no rank from then on", async (rank) => {
    const [rows, columns] = [4, 5];
    const layout = layoutOf({ w: { shape: [rows, columns] } });
    const row = normals(columns, 9);
    const first = [1, 2].map((scale) =>
      Float32Array.from(
        { length: rows * columns },
        (_, at) => rank * scale * row[at % columns]! * Math.floor(at / columns),
      ),
    );
    const { given, applied } = await exchange(powerSgd({ rank: 4 }), 2, { layout, first });
    for (const [step, update] of applied.entries()) expectClose(update, meanOf(given[step]!), 4);
  });

  test("loses nothing: what was applied and the mean error are the sum of all gradients", async () => {
    const layout = layoutOf({ w: { shape: [5, 6] }, b: { shape: [4] } });
    const { given, applied, states } = await exchange(powerSgd({ rank: 2 }), 3, { layout });
    const left = new Float32Array(34);
    left.set(meanOf(states.map(({ tensors }) => lowRankError(tensors, layout, 2))));
    expectClose(sumOf([...applied, left]), sumOf(given.map(meanOf)), 4);
    for (const [step, update] of applied.entries())
      expectClose(update.subarray(30), meanOf(given[step]!).slice(30)); // the vector goes as it is
  });
});
