// The long run: what one period says, against many periods more.

import fc from "fast-check";
import { expect, test } from "vitest";
import { cycleOf, secondsOf } from "./steadyState.ts";
import { type Timeline, timesAfter } from "./timeline.ts";

const duration = fc.double({ min: 0, max: 20, noNaN: true });

const timelines: fc.Arbitrary<Timeline> = fc
  .record({
    stepSeconds: fc.double({ min: 0.01, max: 5, noNaN: true }),
    layers: fc.integer({ min: 1, max: 4 }),
    serial: fc.boolean(),
    exchanges: fc.array(
      fc.record({
        every: fc.constantFrom(1, 2, 3, 6),
        offset: fc.integer({ min: 0, max: 5 }),
        from: fc.constantFrom(1, 4),
        until: fc.constantFrom(3, Number.POSITIVE_INFINITY),
        delay: fc.integer({ min: 0, max: 7 }),
        seconds: duration,
        latencySeconds: duration,
      }),
      { maxLength: 3 },
    ),
  })
  .map(({ exchanges, layers, ...rest }) => ({
    ...rest,
    layers,
    exchanges: exchanges.map(({ seconds, latencySeconds, ...exchange }) => ({
      ...exchange,
      parts: Array.from({ length: layers }, (_, i) => ({ layer: layers - 1 - i, seconds, latencySeconds })),
    })),
  }));

test("the time of a step is that of a long run", () => {
  fc.assert(
    fc.property(timelines, (timeline) => {
      const [before, after] = timesAfter(timeline, [6000, 12_000]) as [number, number];
      expect(cycleOf(timeline).secondsPerStep / ((after - before) / 6000)).toBeCloseTo(1, 3);
    }),
  );
});

test("the time of a run of any length is that of all its steps", () => {
  fc.assert(
    fc.property(timelines, fc.integer({ min: 1, max: 500 }), (timeline, steps) => {
      const [all] = timesAfter(timeline, [steps]) as [number];
      expect(secondsOf(timeline, steps) / all).toBeCloseTo(1, 3);
    }),
  );
});

test("where latency is awaited a step late, every other step waits", () => {
  const parts = [{ layer: 0, seconds: 0, latencySeconds: 3 }];
  const everyStep = { every: 1, offset: 0, from: 1, until: Number.POSITIVE_INFINITY, delay: 1, parts };
  // Two steps: one waits three seconds for the result of the step before the last, the other does not.
  const timeline = { stepSeconds: 1, layers: 1, serial: false, exchanges: [everyStep] };
  expect(cycleOf(timeline).secondsPerStep).toBeCloseTo(2, 9);
});
