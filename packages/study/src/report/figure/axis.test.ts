import fc from "fast-check";
import { expect, test } from "vitest";
import { byteUnit, linearAxis, logAxis, timeUnit } from "./axis.ts";

const domain = fc
  .tuple(fc.double({ min: 1e-12, max: 1e15, noNaN: true }), fc.double({ min: 1, max: 1e6, noNaN: true }))
  .map(([low, ratio]): [number, number] => [low, low * ratio]);

for (const [name, make] of Object.entries({ linear: linearAxis, log: logAxis })) {
  for (const rounded of [false, true]) {
    test(`${name}, rounded ${rounded}: domain and ticks lie in the range, ticks ascend`, () => {
      fc.assert(
        fc.property(domain, ([low, high]) => {
          const axis = make({ domain: [low, high], range: [10, 410], label: "loss", rounded });
          const places = [low, high, ...axis.ticks.map(({ value }) => value)].map(axis.position);
          for (const place of places) {
            expect(place).toBeGreaterThanOrEqual(10 - 1e-6);
            expect(place).toBeLessThanOrEqual(410 + 1e-6);
          }
          const ticks = places.slice(2);
          expect(ticks).toEqual([...ticks].sort((a, b) => a - b));
          expect(ticks.length).toBeLessThanOrEqual(14);
        }),
      );
    });
  }
}

test("labels of ticks differ from each other", () => {
  fc.assert(
    fc.property(domain, ([low, high]) => {
      fc.pre(high / low > 1.001);
      const labels = linearAxis({ domain: [low, high], range: [0, 400], label: "loss" }).ticks.map(
        (tick) => tick.label,
      );
      expect(new Set(labels).size).toBe(labels.length);
    }),
  );
});

test("units follow the size", () => {
  expect([2e-7, 0.05, 12, 150, 200, 7200, 12_000].map((s) => timeUnit(s).symbol)).toEqual([
    "µs",
    "ms",
    "s",
    "s",
    "min",
    "min",
    "h",
  ]);
  expect([0, 12, 5e6, 3e13].map((b) => byteUnit(b).symbol)).toEqual(["B", "B", "MB", "TB"]);
});

test("ticks are in the unit, on whole values where these are wanted", () => {
  const time = linearAxis({ domain: [0, 600], range: [0, 100], label: "time", unit: timeUnit(600) });
  expect(time.label).toBe("time (min)");
  expect(time.ticks.map(({ label }) => label)).toEqual(["0", "2", "4", "6", "8", "10"]);
  const steps = linearAxis({ domain: [0, 2], range: [0, 100], label: "steps", whole: true });
  expect(steps.ticks.map(({ label }) => label)).toEqual(["0", "1", "2"]);
});
