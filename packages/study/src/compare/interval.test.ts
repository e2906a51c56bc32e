// Intervals: quantiles against the integral of Student's density, and how often an interval holds the true mean.

import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { amountOf, intervalOf, ratioOf, studentQuantile } from "./interval.ts";

/** ∫ from −t to t of the density of Student's t, by Simpson's rule on x = √ν tan θ, where it is cos(θ)^(ν − 1). */
function central(t: number, freedom: number): number {
  const integral = (to: number): number => {
    const steps = 2000;
    let sum = 0;
    for (let i = 0; i <= steps; i++) {
      const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
      sum += weight * Math.cos((i / steps) * to) ** (freedom - 1);
    }
    return (sum * to) / steps / 3;
  };
  return integral(Math.atan(t / Math.sqrt(freedom))) / integral(Math.PI / 2);
}

test("95 % of Student's t lie between the quantiles, for any degrees of freedom", () => {
  for (const freedom of [...Array(60).keys()].map((i) => i + 1))
    expect(central(studentQuantile(freedom), freedom)).toBeCloseTo(0.95, 6);
});

test("of many intervals over few normal values, 95 % hold the mean", () => {
  const random = createRandom(3);
  const count = 4000;
  let held = 0;
  for (let i = 0; i < count; i++) {
    const { low, high } = intervalOf([0, 1, 2].map(() => 7 + random.normal()))!;
    if (low! <= 7 && 7 <= high!) held++;
  }
  expect(held / count).toBeCloseTo(0.95, 1.5);
});

test("moves and stretches with its values; one value has none, equal ones an empty one", () => {
  const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 2, maxLength: 40 });
  fc.assert(
    fc.property(values, fc.integer({ min: -50, max: 50 }), (list, shift) => {
      const before = intervalOf(list)!;
      const after = intervalOf(list.map((value) => 3 * value + shift))!;
      expect(after.mean).toBeCloseTo(3 * before.mean + shift, 6);
      expect(after.high! - after.low!).toBeCloseTo(3 * (before.high! - before.low!), 6);
    }),
  );
  expect(intervalOf([])).toBeNull();
  expect(intervalOf([5])).toEqual({ mean: 5, low: null, high: null, count: 1 });
  expect(intervalOf([5, 5, 5])).toEqual({ mean: 5, low: 5, high: 5, count: 3 });
});

test("an interval of amounts is never below zero, and of many over few log-normal values 95 % hold the geometric mean", () => {
  const amount = fc.double({ min: 1e-9, max: 1e9, noNaN: true });
  fc.assert(
    fc.property(fc.array(amount, { minLength: 2, maxLength: 20 }), (list) => {
      const { mean, low, high } = amountOf(list)!;
      expect(low!).toBeGreaterThanOrEqual(0);
      expect(mean).toBeGreaterThanOrEqual(Math.min(...list) * (1 - 1e-9));
      expect(mean).toBeLessThanOrEqual(Math.max(...list) * (1 + 1e-9));
      expect(low! <= mean && mean <= high!).toBe(true);
    }),
  );
  const random = createRandom(4);
  const held = Array.from({ length: 4000 }, () => {
    const { low, high } = amountOf([0, 1, 2].map(() => Math.exp(2 + random.normal())))!;
    return low! <= Math.exp(2) && Math.exp(2) <= high!;
  });
  expect(held.filter(Boolean).length / held.length).toBeCloseTo(0.95, 1.5);
});

test("a quotient of two means of amounts is the mean of the quotients that a verdict gives", () => {
  const [slow, fast] = [
    [6, 30, 11],
    [1, 2, 4],
  ];
  const ratio = ratioOf(slow.map((of, i) => ({ of, to: fast[i]! })))!;
  expect(amountOf(slow)!.mean / amountOf(fast)!.mean).toBeCloseTo(ratio.mean, 12);
});

test("amounts without a logarithm, and the same amount always", () => {
  expect(amountOf([])).toBeNull();
  expect(amountOf([0, 0])).toEqual({ mean: 0, low: 0, high: 0, count: 2 });
  expect(amountOf([0.3, 0.3, 0.3])).toMatchObject({ mean: expect.closeTo(0.3, 15), count: 3 });
  expect(amountOf([0, 2])).toMatchObject({ mean: 1, low: 0 });
  expect(amountOf([7])).toEqual({ mean: 7, low: null, high: null, count: 1 });
});

test("of an interval only what lies within the bounds is left", () => {
  expect(intervalOf([0.98, 1], { least: 0, most: 1 })).toMatchObject({ mean: 0.99, high: 1 });
  expect(intervalOf([0.1, 0.2], { least: 0 })!.low).toBe(0);
});

test("a ratio is that of the pairs: turned round it is its inverse, and what a pair has in common does not count", () => {
  const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
  const lists = fc.array(fc.tuple(positive, positive, positive), { minLength: 2, maxLength: 20 });
  fc.assert(
    fc.property(lists, (list) => {
      const ratio = ratioOf(list.map(([of, to]) => ({ of, to })))!;
      const scaled = ratioOf(list.map(([of, to, common]) => ({ of: of * common, to: to * common })))!;
      const inverse = ratioOf(list.map(([of, to]) => ({ of: to, to: of })))!;
      expect(scaled.mean / ratio.mean).toBeCloseTo(1, 9);
      expect(scaled.high! / ratio.high!).toBeCloseTo(1, 6);
      expect(inverse.mean * ratio.mean).toBeCloseTo(1, 9);
      expect(inverse.low! * ratio.high!).toBeCloseTo(1, 6);
    }),
  );
  expect(ratioOf([{ of: 6, to: 2 }])).toMatchObject({ low: null, high: null });
  expect(ratioOf([{ of: 0, to: 1 }])).toBeNull();
});
