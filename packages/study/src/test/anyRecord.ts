// Records of made-up runs of any kind, for properties: names of any characters, losses that are no numbers, runs that failed,
// go on or met faults.

import fc from "fast-check";
import type { RunRecord } from "../record.ts";
import { faultyRun } from "./faultyRun.ts";
import { type SampleOptions, sampleRun } from "./sampleRun.ts";

/** Losses that training comes to when it goes wrong, beside ordinary ones. */
const loss = fc.oneof(
  { weight: 4, arbitrary: fc.float({ min: 0, max: 20, noNaN: true }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      0,
      -3,
      1e-30,
      3e38,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ),
  },
);

const sampleOptions: fc.Arbitrary<SampleOptions> = fc
  .record({
    name: fc.string({ unit: "binary", maxLength: 200 }),
    nodes: fc.integer({ min: 1, max: 30 }),
    steps: fc.integer({ min: 0, max: 60 }),
    H: fc.integer({ min: 1, max: 20 }),
    topology: fc.constantFrom("ring", "star", "fully_connected"),
    valInterval: fc.integer({ min: 0, max: 20 }),
    accuracy: fc.boolean(),
    outcome: fc.constantFrom("completed", "interrupted", "failed", "unfinished"),
    message: fc.option(fc.string({ unit: "binary" })),
    config: fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<never>),
    seed: fc.nat(),
    losses: fc.array(loss, { minLength: 1, maxLength: 60 }),
  })
  .map(({ losses, ...options }) => ({
    ...options,
    bend: (_: number, step: number) => losses[step % losses.length]!,
  }));

/** Half of the runs meet faults, few or many. */
export const anyRecord: fc.Arbitrary<RunRecord> = fc
  .tuple(sampleOptions, fc.boolean(), fc.constantFrom(0, 0.1, 0.8), fc.constantFrom(0, 0.2, 1))
  .map(([options, isFaulty, rate, rollBacks]) =>
    isFaulty ? faultyRun({ ...options, rate, rollBacks }) : sampleRun(options),
  );
