// Intervals: quantiles against the integral of Student's density, and how often an interval holds the true mean.

import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { intervalOf, ratioOf, studentQuantile } from "./interval.ts";

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
