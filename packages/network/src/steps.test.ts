import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FreePart } from "./background.ts";
import { endOf, product, type Steps, scaled } from "./steps.ts";
import { resolveTrace, TraceBandwidth, type TracePoint } from "./trace.ts";

/** Ascending times from 0, the last of which is the end, with a bandwidth above 0 somewhere. */
const points: fc.Arbitrary<readonly TracePoint[]> = fc
  .array(fc.tuple(fc.double({ min: 0.05, max: 10, noNaN: true }), fc.oneof(fc.constant(0), fc.nat(1000))), {
    minLength: 1,
    maxLength: 8,
  })
  .map((rows) => {
    let time = 0;
    const steps = rows.map(([length, value]): TracePoint => {
      time += length;
      return [time, value];
    });
    return [[0, 1 + rows[0]![1]], ...steps];
  });

/** A trace that repeats, each link shifted, less background traffic: everything that changes at once. */
const bandwidths = fc.record({
  points,
  shift: fc.boolean(),
  load: fc.double({ min: 0, max: 0.99, noNaN: true }),
  interval: fc.double({ min: 0.05, max: 3, noNaN: true }),
  seed: fc.nat(),
});

const created = (given: typeof bandwidths extends fc.Arbitrary<infer T> ? T : never): Steps => {
  const random = createRandom(given.seed);
  const trace = resolveTrace({ points: given.points, repeat: true, shift: given.shift }, "trace");
  const { load, interval } = given;
  return product(
    scaled(new TraceBandwidth(trace, random, 0, 1), 2),
    new FreePart({ load, interval }, random, 0, 1),
  );
};

/** Every change from 0 to `end`, found by asking again and again. */
function changes(steps: Steps, end: number): readonly number[] {
  const found = [0];
  while (found.at(-1)! < end) found.push(steps.nextChange(found.at(-1)!));
  return found;
}

test("a function is constant from one change until just before the next, whatever was asked before", () => {
  fc.assert(
    fc.property(bandwidths, fc.array(fc.double({ min: 0, max: 50, noNaN: true })), (given, asked) => {
      const fresh = created(given);
      const used = created(given);
      for (const time of asked) used.at(time);
      const moments = changes(fresh, 10);
      for (const [i, from] of moments.slice(0, -1).entries()) {
        const until = moments[i + 1]!;
        expect(until).toBeGreaterThan(from);
        const inside = from + (until - from) / 3;
        expect(used.at(inside)).toBe(fresh.at(from));
        expect(used.nextChange(inside)).toBe(until);
      }
    }),
  );
});

test("bytes end when the integral of the rate is their number: by small steps, and by its own changes", () => {
  fc.assert(
    fc.property(
      bandwidths,
      fc.double({ min: 0, max: 20, noNaN: true }),
      fc.integer({ min: 1, max: 3000 }),
      (given, begin, size) => {
        const steps = created(given);
        const end = endOf(size, begin, steps);
        expect(end).toBeGreaterThan(begin);
        fc.pre(end - begin < 50);
        const pieces = 4000;
        const width = (end - begin) / pieces;
        let moved = 0;
        for (let i = 0; i < pieces; i++) moved += steps.at(begin + (i + 0.5) * width) * width;
        // A change falls into the middle of a piece: of each such piece some bytes are counted wrongly.
        const wrong = changes(steps, end).length * 2002 * width;
        expect(Math.abs(moved - size)).toBeLessThanOrEqual(wrong + 1e-6 * size);
        const exact = [begin, ...changes(steps, end).filter((time) => time > begin && time < end), end];
        const sum = exact
          .slice(1)
          .reduce((total, to, i) => total + steps.at(exact[i]!) * (to - exact[i]!), 0);
        expect(sum / size).toBeCloseTo(1, 9);
      },
    ),
    { numRuns: 40 },
  );
});

test("a rate that stays 0 never ends; no bytes end at once", () => {
  const nothing: Steps = { at: () => 0, nextChange: () => Number.POSITIVE_INFINITY };
  const flapping: Steps = { at: () => 0, nextChange: (time) => time + 1 };
  expect(endOf(1, 5, nothing)).toBe(Number.POSITIVE_INFINITY);
  expect(endOf(1, 5, flapping)).toBe(Number.POSITIVE_INFINITY);
  expect(endOf(0, 5, nothing)).toBe(5);
});

test("background traffic: the mean is the load, the spread the widest there is; links and directions differ", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.99, noNaN: true }), fc.nat(), (load, seed) => {
      const random = createRandom(seed);
      const parts = (source: number, target: number): readonly number[] => {
        const free = new FreePart({ load, interval: 0.1 }, random, source, target);
        return Array.from({ length: 4000 }, (_, i) => 1 - free.at((i + 0.5) / 10));
      };
      const taken = parts(0, 1);
      const half = Math.min(load, 0.99 - load);
      expect(taken.reduce((sum, part) => sum + part, 0) / taken.length).toBeCloseTo(load, 1.2);
      expect(Math.min(...taken)).toBeGreaterThanOrEqual(load - half - 1e-12);
      expect(Math.max(...taken)).toBeLessThanOrEqual(load + half + 1e-12);
      if (half > 0.01) for (const other of [parts(1, 0), parts(0, 2)]) expect(other).not.toEqual(taken);
    }),
    { numRuns: 20 },
  );
});
