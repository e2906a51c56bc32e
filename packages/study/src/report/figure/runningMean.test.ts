import fc from "fast-check";
import { expect, test } from "vitest";
import { runningMean } from "./runningMean.ts";

const loss = fc.float({ min: 0, max: 100, noNaN: true });

test("with distinct places it is the mean of the window around each", () => {
  fc.assert(
    fc.property(fc.array(loss, { minLength: 1, maxLength: 400 }), (y) => {
      const x = y.map((_, i) => i);
      const result = runningMean(x, y, y.length + 1);
      const half = (result.window - 1) / 2;
      expect(result.x).toEqual(x);
      for (const [i, mean] of result.y.entries()) {
        const window = y.filter((_, j) => Math.abs(i - j) <= half);
        expect(mean).toBeCloseTo(window.reduce((sum, v) => sum + v, 0) / window.length, 6);
      }
    }),
  );
});

test("points at one place are one point, their mean", () => {
  expect(runningMean([0, 0, 5, 5, 5], [1, 3, 4, 5, 9], 10)).toEqual({ x: [0, 5], y: [2, 6], window: 1 });
});

test("what is not finite is left out; nothing else leaves NaN", () => {
  expect(runningMean([0, 0, 1], [Number.NaN, 2, Number.POSITIVE_INFINITY], 10).y).toEqual([2, Number.NaN]);
});
