import fc from "fast-check";
import { expect, test } from "vitest";
import { PairwiseMean } from "./pairwise.ts";

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((total, value, i) => total + value * b[i]!, 0);
const centred = (x: readonly number[]): readonly number[] => {
  const mean = x.reduce((total, value) => total + value, 0) / x.length;
  return x.map((value) => value - mean);
};
const cosine = (a: readonly number[], b: readonly number[]): number =>
  dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** Every pair by itself. */
function bruteForce(kind: "cosine" | "correlation", vectors: readonly Float32Array[]): number {
  const plain = vectors.map((vector) => (kind === "correlation" ? centred([...vector]) : [...vector]));
  const pairs = plain.flatMap((a, i) => plain.slice(i + 1).map((b) => cosine(a, b)));
  return pairs.reduce((total, value) => total + value, 0) / pairs.length;
}

const vectorsOf = fc
  .tuple(fc.integer({ min: 2, max: 12 }), fc.integer({ min: 2, max: 40 }))
  .chain(([count, length]) =>
    fc.array(fc.float32Array({ minLength: length, maxLength: length, noNaN: true, min: -8, max: 8 }), {
      minLength: count,
      maxLength: count,
    }),
  );

test.each(["cosine", "correlation"] as const)("the mean %s is that of all pairs", (kind) => {
  fc.assert(
    fc.property(vectorsOf, (vectors) => {
      // Below this a float's own grain decides the direction.
      const spread = vectors.map((vector) => {
        const x = kind === "correlation" ? centred([...vector]) : [...vector];
        return Math.sqrt(dot(x, x));
      });
      fc.pre(spread.every((size) => size > 1e-3));
      const pairs = new PairwiseMean(kind);
      for (const vector of vectors) pairs.add(vector);
      expect(pairs.count).toBe(vectors.length);
      expect(pairs.mean!).toBeCloseTo(bruteForce(kind, vectors), 8);
    }),
  );
});

test("vectors that are alike, opposite, at right angles", () => {
  const mean = (kind: "cosine" | "correlation", ...vectors: readonly (readonly number[])[]) => {
    const pairs = new PairwiseMean(kind);
    for (const vector of vectors) pairs.add(Float32Array.from(vector));
    return pairs.mean;
  };
  expect(mean("cosine", [1, 2, 3], [2, 4, 6], [1, 2, 3])).toBeCloseTo(1, 12);
  expect(mean("cosine", [1, 2, 3], [-1, -2, -3])).toBeCloseTo(-1, 12);
  expect(mean("cosine", [1, 0, 0], [0, 1, 0], [0, 0, 5])).toBeCloseTo(0, 15);
  expect(mean("correlation", [1, 2, 3], [11, 12, 13])).toBeCloseTo(1, 12);
  expect(mean("correlation", [1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12);
});

test("a vector without a direction does not count, one that is no number spoils the mean, one alone has no pair", () => {
  const pairs = new PairwiseMean("correlation");
  pairs.add(Float32Array.of(1, 2, 4));
  expect(pairs.mean).toBeUndefined();
  pairs.add(Float32Array.of(3, 3, 3));
  expect([pairs.count, pairs.mean]).toEqual([1, undefined]);
  pairs.add(Float32Array.of(1, Number.NaN, 2));
  expect(pairs.mean).toBeNaN();
});
