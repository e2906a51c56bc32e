import fc from "fast-check";
import { expect, test } from "vitest";
import { formatCount, formatFactor } from "./format.ts";

test("counts are grouped as in English, whole or not", () => {
  const numbers = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.double({ noNaN: true }));
  fc.assert(
    fc.property(numbers, (value) => {
      fc.pre(!Object.is(value, -0));
      expect(formatCount(value)).toBe(value.toLocaleString("en-US", { maximumFractionDigits: 3 }));
    }),
  );
  expect(formatCount(203_530)).toBe("203,530");
});

test("factors have three digits and no exponent, however large", () => {
  expect([0.1134, 2.7, 76.44, 999.4, 999.6, 1184, 5_127_000].map(formatFactor)).toEqual([
    "0.113",
    "2.70",
    "76.4",
    "999",
    "1,000",
    "1,180",
    "5,130,000",
  ]);
});
