import { ConfigError } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { expect, test } from "vitest";
import { createOptimizer, type OptimizerConfig, optimizerEntries } from "./optimizers.ts";

const configured = (kind: string, options: object = {}): OptimizerConfig => {
  const entry = optimizerEntries.find(({ name }) => name === kind)!;
  return { kind, ...parseConfig(entry.options, options, "optimizer") } as OptimizerConfig;
};

test.each(optimizerEntries.map(({ name }) => name))("%s is made from its defaults", (name) => {
  const config = configured(name);
  const optimizer = createOptimizer(config, undefined);
  expect(optimizer.learningRate(0)).toBe(config.learningRate);
  expect(optimizer.learningRate(10_000)).toBe(config.learningRate);
});

test("schedules: a linear rise, a cosine's fall to its end at the last step", () => {
  const warm = createOptimizer(configured("adamw", { learningRate: 1, warmupSteps: 4 }), undefined);
  expect([0, 1, 2, 3, 4, 100].map((step) => warm.learningRate(step))).toEqual([0, 0.25, 0.5, 0.75, 1, 1]);
  const cosine = { learningRate: 1, schedule: "cosine", finalLearningRate: 0.1 };
  const falling = createOptimizer(configured("sgd", cosine), 100);
  expect(falling.learningRate(0)).toBeCloseTo(1, 2);
  expect(falling.learningRate(50)).toBeCloseTo(0.55, 2);
  expect(falling.learningRate(100)).toBeCloseTo(0.1, 6);
  expect(() => createOptimizer(configured("sgd", cosine), undefined)).toThrow(ConfigError);
});

test("clipping comes first", () => {
  const { parts } = createOptimizer(configured("adam", { clipNorm: 0.5 }), undefined);
  expect(parts[0]!.transformation.config).toEqual({ kind: "clipByGlobalNorm", maxNorm: 0.5 });
});

test("an option that an optimizer has not is refused by name", () => {
  expect(() => configured("sgd", { beta1: 0.9 })).toThrow(/Unknown option "optimizer.beta1"/);
  expect(() => configured("adamw", { momentun: 0.9 })).toThrow(ConfigError);
});
