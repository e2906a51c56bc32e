import fc from "fast-check";
import { expect, test } from "vitest";
import { formatCount } from "./format.ts";

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
