import { createHash } from "node:crypto";
import { ConfigError, createRandom } from "@atoll/core";
import { expect, test } from "vitest";
import { type Dataset, gather, whole } from "./dataset.ts";
import { digits } from "./digits.ts";

const bytes = ({ source }: Dataset): Uint8Array => {
  if (source.kind !== "table") throw new Error("expected a table");
  return Uint8Array.from(source.x);
};

test("the same seed gives the same images, another seed others, a longer set the same first ones", () => {
  const make = (seed: number, trainSize: number) =>
    digits({ trainSize, testSize: 20, random: createRandom(seed) });
  const { train, test: held } = make(1, 60);
  expect(make(1, 60)).toEqual({ train, test: held });
  expect(bytes(make(1, 90).train).subarray(0, 60 * 784)).toEqual(bytes(train));
  expect(bytes(make(2, 60).train)).not.toEqual(bytes(train));
  expect(bytes(held)).not.toEqual(bytes(train).subarray(0, 20 * 784));
});

test("the images of a seed never change: recorded runs depend on them", () => {
  const { train } = digits({ trainSize: 50, testSize: 1, random: createRandom(0) });
  const hash = createHash("sha256").update(bytes(train)).update(train.labels!).digest("hex");
  expect(hash).toBe("0041d2a26ab27d3baa616fe766719931b8034f6ea55ee1bd0feaa7c8286e06dc");
});

test("classes are balanced and pixels normalised", () => {
  const { train } = digits({ trainSize: 2000, testSize: 1, random: createRandom(3) });
  const counts = new Array<number>(10).fill(0);
  for (const label of train.labels!) counts[label]!++;
  for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(70);
  const x = new Float32Array(2000 * 784);
  gather(train.source, whole(train).indices, x, new Int32Array(2000));
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  expect(mean).toBeCloseTo(0, 1);
  expect(Math.abs(Math.sqrt(variance) - 1)).toBeLessThan(0.1);
});

test("a linear model learns the task, but stays under 95 %", () => {
  const { train, test: held } = digits({ trainSize: 4000, testSize: 1000, random: createRandom(4) });
  const accuracy = linearAccuracy(train, held);
  expect(accuracy).toBeGreaterThan(0.8);
  expect(accuracy).toBeLessThan(0.95);
});

test("an empty set is refused", () => {
  expect(() => digits({ trainSize: 0, testSize: 1, random: createRandom(0) })).toThrow(ConfigError);
});

/** Softmax regression by stochastic gradient descent, 8 epochs, and its share of right answers on `held`. */
function linearAccuracy(train: Dataset, held: Dataset): number {
  const weights = Array.from({ length: 10 }, () => new Float64Array(785));
  const x = new Float32Array(784);
  const y = new Int32Array(1);
  const scores = (): number[] =>
    weights.map((row) => {
      let sum = row[784]!;
      for (let k = 0; k < 784; k++) sum += row[k]! * x[k]!;
      return sum;
    });
  for (let epoch = 0; epoch < 8; epoch++) {
    const rate = 0.001 / (1 + epoch);
    for (let i = 0; i < train.size; i++) {
      gather(train.source, Uint32Array.of(i), x, y);
      const logits = scores();
      const highest = Math.max(...logits);
      const exponentials = logits.map((logit) => Math.exp(logit - highest));
      const total = exponentials.reduce((sum, value) => sum + value, 0);
      for (const [label, row] of weights.entries()) {
        const slope = rate * ((label === y[0] ? 1 : 0) - exponentials[label]! / total);
        for (let k = 0; k < 784; k++) row[k] = row[k]! + slope * x[k]!;
        row[784] = row[784]! + slope;
      }
    }
  }
  let right = 0;
  for (let i = 0; i < held.size; i++) {
    gather(held.source, Uint32Array.of(i), x, y);
    const logits = scores();
    if (logits.indexOf(Math.max(...logits)) === y[0]) right++;
  }
  return right / held.size;
}
