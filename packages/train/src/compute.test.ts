import { ConfigError, createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ComputeModel,
  type ComputeOptions,
  createComputeModel,
  type DeviceOptions,
  deviceProfiles,
} from "./compute.ts";

/** The model of so many nodes, whose steps have a billion operations. */
const modelOf = (options: ComputeOptions, nodes = 4, seed = 1): ComputeModel =>
  createComputeModel(options, { nodes, flopsPerStep: 1e9, random: createRandom(seed).derive("compute") });
const device = (options: Partial<DeviceOptions> = {}): DeviceOptions => ({
  kind: "device",
  device: "laptop",
  utilization: 0.5,
  variability: 0.1,
  ...options,
});

test("a device's steps take FLOPs over its sustained rate on average, and vary as asked", () => {
  const mean = 1e9 / (deviceProfiles.laptop!.peakFlops * 0.5);
  const model = modelOf(device());
  const times = Array.from({ length: 4000 }, (_, step) => model.stepSeconds(step % 7, step));
  const average = times.reduce((sum, time) => sum + time, 0) / times.length;
  const variance = times.reduce((sum, time) => sum + (time - average) ** 2, 0) / times.length;
  expect(average / mean).toBeCloseTo(1, 2);
  expect(Math.sqrt(variance) / average).toBeCloseTo(0.1, 2);
  expect(Math.min(...times)).toBeGreaterThan(0);
  const constant = modelOf(device({ variability: 0 }));
  expect(constant.stepSeconds(3, 4)).toBeCloseTo(mean, 12);
});

test("a draw depends on seed, rank and step alone", () => {
  const models = [device(), { kind: "measured", durations: [1, 2, 3, 4, 5, 6, 7, 8] } as const].map(
    (options) => () => modelOf(options),
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
  const model = modelOf({ kind: "measured", durations });
  const times = Array.from({ length: 3000 }, (_, step) => model.stepSeconds(0, step) as number);
  for (const duration of durations)
    expect(times.filter((time) => time === duration).length).toBeGreaterThan(900);
  expect(model.durations).toBe(durations);
});

test("a node's speed divides the times it would take; the others' do not change", () => {
  const kinds: readonly ComputeOptions[] = [device(), { kind: "measured", durations: [0.5, 1, 2, 4] }];
  const speed = fc.double({ min: 0.01, max: 100, noNaN: true });
  const step = fc.tuple(fc.nat(3), fc.nat(1000));
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.array(speed, { minLength: 4, maxLength: 4 }),
      step,
      (options, speeds, [rank, at]) => {
        const model = modelOf({ ...options, speeds });
        expect(model.stepSeconds(rank, at)).toBe(modelOf(options).stepSeconds(rank, at) / speeds[rank]!);
        expect(model.config).toMatchObject({ speeds });
      },
    ),
  );
});

test("each node takes its own device's time", () => {
  const devices = ["h100", "a100", "h100", "laptop"];
  const model = modelOf(device({ devices }));
  for (const [rank, name] of devices.entries())
    expect(model.stepSeconds(rank, 5)).toBe(modelOf(device({ device: name })).stepSeconds(rank, 5));
  expect(model.config).toMatchObject({ devices });
  expect(model.config).not.toHaveProperty("device");
});

test("drawn speeds: mean 1, spread as asked, the seed's, the same for a node however many there are", () => {
  const drawn = (nodes: number, seed: number): readonly number[] =>
    modelOf(device({ heterogeneity: 0.3 }), nodes, seed).config.speeds as readonly number[];
  const speeds = drawn(4000, 1);
  const mean = speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
  const variance = speeds.reduce((sum, speed) => sum + (speed - mean) ** 2, 0) / speeds.length;
  expect(mean).toBeCloseTo(1, 1);
  expect(Math.sqrt(variance) / mean).toBeCloseTo(0.3, 1);
  expect(Math.min(...speeds)).toBeGreaterThan(0);
  expect(drawn(4, 1)).toEqual(speeds.slice(0, 4));
  expect(drawn(4, 2)).not.toEqual(drawn(4, 1));
  const model = modelOf(device({ heterogeneity: 0.3, variability: 0 }));
  expect(model.config.meanStepSecondsByNode).toEqual([0, 1, 2, 3].map((rank) => model.stepSeconds(rank, 9)));
});

test("nodes that are alike leave no trace in the config", () => {
  for (const options of [device({ heterogeneity: 0 }), device({ speeds: undefined }), device()])
    expect(Object.keys(modelOf(options).config)).toEqual([
      "kind",
      "device",
      "utilization",
      "variability",
      "flopsPerStep",
      "meanStepSeconds",
    ]);
});

test.each<[string, ComputeOptions]>([
  ["device", device({ device: "abacus" })],
  ["utilization", device({ utilization: 0 })],
  ["utilization", device({ utilization: 1.5 })],
  ["variability", device({ variability: -0.1 })],
  ["device", device({ devices: ["h100", "h100", "a100", "abacus"] })],
  ["one for each of the 4 nodes, got 2", device({ devices: ["h100", "a100"] })],
  ["one for each of the 4 nodes, got 5", device({ speeds: [1, 1, 1, 1, 1] })],
  ["one for each of the 4 nodes, got 0", { kind: "measured", durations: [1], speeds: [] }],
  ["above 0, such as [1,0.5], got 0", device({ speeds: [1, 1, 0, 1] })],
  ["got NaN", device({ speeds: [1, 1, Number.NaN, 1] })],
  ["heterogeneity", device({ heterogeneity: -1 })],
  ["give one of them, not both", device({ speeds: [1, 1, 1, 1], heterogeneity: 0.1 })],
  ["measured", { kind: "measured", durations: [] }],
])("refuses a bad %s", (message, options) => {
  expect(() => modelOf(options)).toThrow(ConfigError);
  expect(() => modelOf(options)).toThrow(message);
});
