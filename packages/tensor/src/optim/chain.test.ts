import { ConfigError } from "@atoll/core";
import { expect, test } from "vitest";
import {
  adamW,
  addDecayedWeights,
  chain,
  clipByGlobalNorm,
  momentum,
  scaleByLearningRate,
  sgd,
} from "./index.ts";

test("slots and scalars carry the name of their transformation, numbered where it occurs again", () => {
  const optimizer = chain(momentum(0.9), momentum(0.5), scaleByLearningRate(0.1));
  expect(optimizer.slots).toEqual(["momentum/velocity", "momentum2/velocity"]);
  expect(optimizer.scalars(0)).toEqual({ "scaleByLearningRate/negative": -0.1 });
});

test("a chain in a chain is the same as its parts in its place", () => {
  const nested = chain(clipByGlobalNorm(1), adamW());
  const flat = chain(clipByGlobalNorm(1), ...adamW().parts.map(({ transformation }) => transformation));
  expect(nested.parts.map(({ label }) => label)).toEqual(flat.parts.map(({ label }) => label));
  expect(nested.slots).toEqual(adamW().slots);
});

test("the learning rate is that of the part that applies it", () => {
  expect(chain(clipByGlobalNorm(1), adamW({ learningRate: 0.25 })).learningRate(7)).toBe(0.25);
  expect(sgd({ learningRate: (count) => 1 / (count + 1) }).learningRate(3)).toBe(0.25);
  expect(chain(clipByGlobalNorm(1)).learningRate(3)).toBe(1);
});

test("configs are plain data with every option", () => {
  const { config } = chain(clipByGlobalNorm(1), adamW({ decay: "matrices" }));
  expect(JSON.parse(JSON.stringify(config))).toEqual({
    kind: "chain",
    parts: [
      { kind: "clipByGlobalNorm", maxNorm: 1 },
      {
        kind: "adamw",
        learningRate: 1e-3,
        b1: 0.9,
        b2: 0.999,
        eps: 1e-8,
        weightDecay: 0.01,
        decay: "matrices",
      },
    ],
  });
});

test("options out of range are refused", () => {
  expect(() => momentum(1)).toThrow(ConfigError);
  expect(() => clipByGlobalNorm(0)).toThrow(ConfigError);
  expect(() => addDecayedWeights(-1)).toThrow(ConfigError);
  expect(() => adamW({ b2: 1.5 })).toThrow(ConfigError);
  expect(() => sgd({ learningRate: Number.NaN })).toThrow(ConfigError);
});
