import { createRandom, type Random, RunError } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { probabilitiesOf, sampleToken } from "./sampling.ts";

const scores = fc
  .array(fc.oneof(fc.float({ min: -20, max: 20, noNaN: true }), fc.constantFrom(0, 1, -Infinity)), {
    minLength: 1,
    maxLength: 12,
  })
  .filter((values) => values.some(Number.isFinite))
  .map((values) => Float32Array.from(values));
const settings = fc.record({
  temperature: fc.double({ min: 0.05, max: 5, noNaN: true }),
  topK: fc.integer({ min: 1, max: 14 }),
});

/** By the definition: a softmax over those that fewer than k others go before. */
function bruteForce(values: readonly number[], temperature: number, k: number): readonly number[] {
  const isIn = (token: number): boolean => {
    const before = values.filter(
      (value, other) => value > values[token]! || (value === values[token] && other < token),
    );
    return before.length < k;
  };
  const largest = Math.max(...values);
  const weights = values.map((value, token) => (isIn(token) ? Math.exp((value - largest) / temperature) : 0));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** A stream whose next number is known. */
const giving = (uniform: number): Random => ({ ...createRandom(0), uniform: () => uniform });

test("probabilities are the softmax over the top k", () => {
  fc.assert(
    fc.property(scores, settings, (values, { temperature, topK }) => {
      const expected = bruteForce([...values], temperature, topK);
      const got = probabilitiesOf(values, { temperature, topK });
      expect(got.length).toBe(values.length);
      for (const [token, probability] of expected.entries()) expect(got[token]).toBeCloseTo(probability, 12);
      if (topK >= values.length) expect(probabilitiesOf(values, { temperature })).toEqual(got);
    }),
  );
});

test("a token is drawn where the number falls among the probabilities one after the other", () => {
  fc.assert(
    fc.property(
      scores,
      settings,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (values, options, u) => {
        const probabilities = probabilitiesOf(values, options);
        const token = sampleToken(values, options, giving(u));
        const below = probabilities.slice(0, token).reduce((a, b) => a + b, 0);
        expect(probabilities[token]).toBeGreaterThan(0);
        expect(below).toBeLessThanOrEqual(u + 1e-12);
        expect(below + probabilities[token]!).toBeGreaterThanOrEqual(u - 1e-12);
      },
    ),
  );
});

test("temperature 0 and a top-k of 1 take the first of the likeliest", () => {
  fc.assert(
    fc.property(scores, fc.double({ min: 0, max: 0.999, noNaN: true }), (values, u) => {
      const best = values.indexOf(values.reduce((a, b) => Math.max(a, b)));
      expect(sampleToken(values, { temperature: 0 }, giving(u))).toBe(best);
      expect(sampleToken(values, { temperature: 2, topK: 1 }, giving(u))).toBe(best);
    }),
  );
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("a diverged model's %s is said to be that", (value) => {
  const draw = () => sampleToken(Float32Array.of(0, value), { temperature: 1 }, createRandom(0));
  expect(draw).toThrow(RunError);
  expect(draw).toThrow(/score for token 1 is .*diverged/);
});
