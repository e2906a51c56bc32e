import { ConfigError } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { constantSchedule, cosine, linearWarmup, scheduleConfig, warmupCosine } from "./schedule.ts";

test("warm-up rises linearly from 0 and then stays", () => {
  const schedule = linearWarmup({ peak: 0.4, warmupSteps: 4 });
  expect([0, 1, 2, 3, 4, 100].map(schedule)).toEqual([0, 0.1, 0.2, expect.closeTo(0.3, 15), 0.4, 0.4]);
  expect(linearWarmup({ peak: 0.4, warmupSteps: 0 })(0)).toBe(0.4);
});

test("cosine falls from peak to end by way of their mean, and stays there", () => {
  const schedule = cosine({ peak: 1, totalSteps: 10, end: 0.2 });
  expect(schedule(0)).toBe(1);
  expect(schedule(5)).toBeCloseTo(0.6, 15);
  expect(schedule(10)).toBe(0.2);
  expect(schedule(1000)).toBe(0.2);
});

test("warm-up and cosine join at the peak, and never leave [0, peak]", () => {
  const options = fc.record({
    peak: fc.double({ min: 1e-6, max: 10, noNaN: true }),
    warmupSteps: fc.integer({ min: 0, max: 50 }),
    totalSteps: fc.integer({ min: 51, max: 200 }),
  });
  fc.assert(
    fc.property(options, fc.nat(300), ({ peak, warmupSteps, totalSteps }, count) => {
      const schedule = warmupCosine({ peak, warmupSteps, totalSteps, end: peak / 10 });
      expect(schedule(warmupSteps)).toBeCloseTo(peak, 12);
      expect(schedule(count)).toBeGreaterThanOrEqual(0);
      expect(schedule(count)).toBeLessThanOrEqual(peak * (1 + 1e-12));
      if (count >= totalSteps) expect(schedule(count)).toBeCloseTo(peak / 10, 12);
    }),
  );
});

test("a config tells how to make the schedule again", () => {
  const options = { peak: 1, warmupSteps: 2, totalSteps: 9, end: 0.5 };
  expect(scheduleConfig(warmupCosine(options))).toEqual({ kind: "warmupCosine", ...options });
  expect(scheduleConfig(constantSchedule(0.1))).toBe(0.1);
  expect(scheduleConfig((count) => 1 / count)).toBe("function");
});

test("steps must be whole numbers that fit together", () => {
  expect(() => linearWarmup({ peak: 1, warmupSteps: -1 })).toThrow(ConfigError);
  expect(() => cosine({ peak: 1, totalSteps: 0 })).toThrow(ConfigError);
  expect(() => warmupCosine({ peak: 1, warmupSteps: 10, totalSteps: 10 })).toThrow(ConfigError);
});
