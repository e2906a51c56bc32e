// FedAvg's relatives against what they are known to equal, and their formulas in double precision.

import { ConfigError, createRandom } from "@atoll/core";
import { leafAt, sgd } from "@atoll/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FitResult } from "../localTrainer.ts";
import { startWorkers, type Workers, workerThreads } from "../node/workerThreads.ts";
import { parameterDistance, type RehearsalOptions, rehearse } from "../test/runs.ts";
import {
  adagradOuter,
  adamOuter,
  fedAdagrad,
  fedAdam,
  fedAvg,
  fedProx,
  fedYogi,
  yogiOuter,
} from "./index.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const fit = async (options: RehearsalOptions): Promise<FitResult> =>
  (await rehearse({ executor: workerThreads(workers), maxSteps: 20, nodes: 3, seed: 3, ...options })).result;

describe("fedProx", () => {
  test("with μ = 0, or a single local step, it is FedAvg", async () => {
    for (const { mu, ...options } of [
      { H: 4, mu: 0 },
      { H: 3, islandSize: 2, mu: 0 },
      { H: 1, mu: 5 },
    ]) {
      const held = await fit({ strategy: fedProx({ ...options, mu }) });
      const free = await fit({ strategy: fedAvg(options) });
      expect(parameterDistance(held, free)).toBeLessThan(1e-5);
    }
  });

  test("takes the local steps of its formula: θ ← θ − η(g + μ(θ − θ₀))", async () => {
    // One local step from θ₀ feels no pull, so a round of two ends η²μ·g₁ off the free one, g₁ the first gradient.
    const [rate, mu] = [0.05, 4];
    const optimizer = sgd({ learningRate: rate });
    const round = (steps: number, strategy = fedAvg({ H: 2, optimizer })) =>
      fit({ strategy, nodes: 1, maxSteps: steps });
    const [start, free, held] = [
      await round(1, fedProx({ H: 1, mu, optimizer })),
      await round(2),
      await round(2, fedProx({ H: 2, mu, optimizer })),
    ];
    const one = await round(1);
    expect(parameterDistance(start, one)).toBeLessThan(1e-6);
    const values = (result: FitResult): Float32Array =>
      leafAt(result.parameters, "output.weight").data as Float32Array;
    const again = await fit({
      strategy: fedAvg({ H: 1, optimizer: sgd({ learningRate: 2 * rate }) }),
      nodes: 1,
      maxSteps: 1,
    });
    for (let i = 0; i < values(free).length; i++) {
      const firstStep = values(again)[i]! - values(one)[i]!; // −η g₁, as the difference of steps 2η and η
      expect(values(held)[i]! - values(free)[i]!).toBeCloseTo(-rate * mu * firstStep, 6);
    }
  });

  test("refuses a negative μ", () => {
    expect(() => fedProx({ mu: -1 })).toThrow(ConfigError);
  });
});

describe("adaptive outer optimizers", () => {
  const settings = { learningRate: 0.3, b1: 0.8, tau: 0.01 };
  const rows = [
    {
      name: "adam",
      outer: adamOuter({ ...settings, b2: 0.95 }),
      next: (v: number, delta: number) => 0.95 * v + 0.05 * delta ** 2,
    },
    {
      name: "yogi",
      outer: yogiOuter({ ...settings, b2: 0.95 }),
      next: (v: number, delta: number) => (v > delta ** 2 ? v - 0.05 * delta ** 2 : v + 0.05 * delta ** 2),
    },
    { name: "adagrad", outer: adagradOuter(settings), next: (v: number, delta: number) => v + delta ** 2 },
  ];

  test.each(rows)("$name takes the steps of its formula", ({ outer, next }) => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), (seed) => {
        const random = createRandom(seed);
        const parameters = Float32Array.of(random.normal());
        const slots = Object.fromEntries(
          Object.entries(outer.slots).map(([name, initial]) => [name, Float32Array.of(initial)]),
        );
        let [theta, m, v] = [parameters[0]!, 0, settings.tau ** 2];
        for (let round = 0; round < 8; round++) {
          const delta = Math.fround(random.normal() * 10 ** random.integer(3));
          m = settings.b1 * m + (1 - settings.b1) * delta;
          v = next(v, delta);
          theta -= (settings.learningRate * m) / (Math.sqrt(v) + settings.tau);
          outer.update(parameters, Float32Array.of(delta), slots);
        }
        expect(Math.abs(parameters[0]! - theta)).toBeLessThan(1e-5 * Math.max(1, Math.abs(theta)));
      }),
    );
  });

  test("with a large τ they are FedAvg: √v stays at τ, so η = 2τ takes the mean change as it is", async () => {
    const outer = { H: 4, learningRate: 2e4, tau: 1e4, b1: 0 };
    const plain = await fit({ strategy: fedAvg({ H: 4 }) });
    for (const strategy of [fedAdam({ ...outer, b2: 1 - 1e-12 }), fedYogi(outer), fedAdagrad(outer)])
      expect(parameterDistance(await fit({ strategy }), plain)).toBeLessThan(1e-5);
  });
});
