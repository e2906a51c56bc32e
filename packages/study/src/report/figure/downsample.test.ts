import fc from "fast-check";
import { expect, test } from "vitest";
import { evenly, extremes } from "./downsample.ts";

const value = fc.oneof(
  { weight: 8, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY) },
);

test("extremes keeps ends, lowest, highest and the first strange value, in order and in bounds", () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 500 }),
      fc.integer({ min: 1, max: 40 }),
      (values, bins) => {
        const kept = extremes(values, bins);
        expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
        expect(kept.length).toBeLessThanOrEqual(Math.max(2 * bins, 3 * bins + 2));
        expect(kept[0]).toBe(0);
        expect(kept.at(-1)).toBe(values.length - 1);
        const finite = values.filter(Number.isFinite);
        const shown = kept.map((i) => values[i]!).filter(Number.isFinite);
        expect(Math.min(...shown)).toBe(Math.min(...finite));
        expect(Math.max(...shown)).toBe(Math.max(...finite));
        const strange = values.findIndex((v) => !Number.isFinite(v));
        if (strange !== -1) expect(kept).toContain(strange);
      },
    ),
  );
});

test("a short series is kept whole; an empty one stays empty", () => {
  expect(extremes([3, 1, 2], 2)).toEqual([0, 1, 2]);
  expect(extremes([], 5)).toEqual([]);
});

test("evenly keeps both ends and has no more than it was asked for", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 10_000 }), fc.integer({ min: 2, max: 300 }), (length, count) => {
      const kept = evenly(length, count);
      expect(kept.length).toBe(Math.min(length, count));
      expect([kept[0], kept.at(-1)]).toEqual([0, length - 1]);
    }),
  );
});
