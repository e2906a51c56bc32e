import fc from "fast-check";
import { expect, test } from "vitest";
import { createRandom, threefry2x32 } from "./random.ts";

test("Threefry-2x32-20 gives the known answers of Random123's kat_vectors", () => {
  expect(threefry2x32(0, 0, 0, 0)).toEqual([0x6b200159, 0x99ba4efe]);
  expect(threefry2x32(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff)).toEqual([0x1cb996fc, 0xbb002be7]);
  expect(threefry2x32(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3)).toEqual([0xc4923a9c, 0x483df7a0]);
});

test("a stream goes on from its saved state, and a derived stream does not depend on its parent's use", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat({ max: 50 }), fc.string(), (seed, used, label) => {
      const fresh = createRandom(seed);
      const worn = createRandom(seed);
      for (let i = 0; i < used; i++) worn.uint32();
      expect(worn.derive(label, 3).uint32()).toBe(fresh.derive(label, 3).uint32());
      const resumed = createRandom(worn.state());
      expect(resumed.uint32()).toBe(worn.uint32());
    }),
  );
});

test('labels name different streams: 1 and "1", ab+c and a+bc, order', () => {
  const random = createRandom(7);
  const streams = [["1"], [1], ["ab", "c"], ["a", "bc"], ["c", "ab"], [], [0], [2 ** 32]] as const;
  const firsts = streams.map((labels) => random.derive(...labels).uint32());
  expect(new Set(firsts).size).toBe(firsts.length);
});

test("a permutation holds every number once", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat({ max: 300 }), (seed, length) => {
      const sorted = [...createRandom(seed).permutation(length)].sort((a, b) => a - b);
      expect(sorted).toEqual(Array.from({ length }, (_, i) => i));
    }),
  );
});

test("uniform and normal have the moments of their distributions", () => {
  const random = createRandom(1);
  const n = 100_000;
  const moments = (draw: () => number): [number, number] => {
    const values = Array.from({ length: n }, draw);
    const mean = values.reduce((a, b) => a + b, 0) / n;
    return [mean, values.reduce((a, b) => a + (b - mean) ** 2, 0) / n];
  };
  const [uniformMean, uniformVariance] = moments(() => random.uniform());
  const [normalMean, normalVariance] = moments(() => random.normal());
  expect(Math.abs(uniformMean - 0.5)).toBeLessThan(0.005);
  expect(Math.abs(uniformVariance - 1 / 12)).toBeLessThan(0.002);
  expect(Math.abs(normalMean)).toBeLessThan(0.015);
  expect(Math.abs(normalVariance - 1)).toBeLessThan(0.03);
});
