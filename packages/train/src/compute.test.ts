import { ConfigError, createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ComputeOptions, createComputeModel, deviceProfiles } from "./compute.ts";

const random = createRandom(1).derive("compute");
const device = (options: Partial<Extract<ComputeOptions, { kind: "device" }>> = {}): ComputeOptions => ({
  kind: "device",
  device: "laptop",
  utilization: 0.5,
  variability: 0.1,
  ...options,
});

test("a device's steps take FLOPs over its sustained rate on average, and vary as asked", () => {
  const flops = 1e9;
  const mean = flops / (deviceProfiles.laptop!.peakFlops * 0.5);
  const model = createComputeModel(device(), flops, random);
  const times = Array.from({ length: 4000 }, (_, step) => model.stepSeconds(step % 7, step));
  const average = times.reduce((sum, time) => sum + time, 0) / times.length;
  const variance = times.reduce((sum, time) => sum + (time - average) ** 2, 0) / times.length;
  expect(average / mean).toBeCloseTo(1, 2);
  expect(Math.sqrt(variance) / average).toBeCloseTo(0.1, 2);
  expect(Math.min(...times)).toBeGreaterThan(0);
  const constant = createComputeModel(device({ variability: 0 }), flops, random);
  expect(constant.stepSeconds(3, 4)).toBeCloseTo(mean, 12);
});

test("a draw depends on seed, rank and step alone", () => {
  const models = [device(), { kind: "measured", durations: [1, 2, 3, 4, 5, 6, 7, 8] } as const].map(
    (options) => () => createComputeModel(options, 1e9, random),
  );
  const step = fc.tuple(fc.nat(50), fc.nat(1000));
  fc.assert(
    fc.property(
      fc.constantFrom(...models),
      fc.array(step, { maxLength: 5 }),
      step,
      (make, before, [rank, at]) => {
        const used = make();
        for (const [otherRank, otherStep] of before) used.stepSeconds(otherRank, otherStep);
        expect(used.stepSeconds(rank, at)).toBe(make().stepSeconds(rank, at));
      },
    ),
  );
});

test("measured steps take the durations that were recorded, each about as often", () => {
  const durations = [0.5, 1, 2];
  const model = createComputeModel({ kind: "measured", durations }, 1, random);
  const times = Array.from({ length: 3000 }, (_, step) => model.stepSeconds(0, step) as number);
  for (const duration of durations)
    expect(times.filter((time) => time === duration).length).toBeGreaterThan(900);
  expect(model.durations).toBe(durations);
});

test.each<[string, ComputeOptions]>([
  ["device", device({ device: "abacus" })],
  ["utilization", device({ utilization: 0 })],
  ["utilization", device({ utilization: 1.5 })],
  ["measured", { kind: "measured", durations: [] }],
])("refuses a bad %s", (message, options) => {
  expect(() => createComputeModel(options, 1, random)).toThrow(ConfigError);
  expect(() => createComputeModel(options, 1, random)).toThrow(message);
});
