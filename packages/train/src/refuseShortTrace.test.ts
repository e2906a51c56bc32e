import { seconds } from "@atoll/core";
import { expect, test } from "vitest";
import type { ComputeModel } from "./compute.ts";
import { refuseShortTrace, type TracedRun } from "./refuseShortTrace.ts";
import type { Strategy } from "./strategies/index.ts";

/** Steps of one second. */
const compute = { stepSeconds: () => seconds(1) } as unknown as ComputeModel;

const everyStep = { kind: "gradient" } as Strategy;
const every = (H: number): Strategy =>
  ({ kind: "parameter", localSteps: (step: number) => H - (step % H) }) as Strategy;

const run = (options: Partial<TracedRun>): (() => void) => {
  const usual = { networkEnd: seconds(10), nodes: 3, maxSteps: 11, strategy: everyStep, compute };
  return () => refuseShortTrace({ ...usual, ...options });
};

test("a trace that ends before the last gradients can be sent is refused before the run", () => {
  expect(run({})).toThrow(
    'Option "network.trace": the bandwidth ends at 10 s, but the nodes compute longer than that and still exchange after step 11. Give a longer trace, let it start over with network.trace.repeat=true, or take fewer steps.',
  );
  expect(run({ maxSteps: 10 })).not.toThrow();
  expect(run({ networkEnd: seconds(Number.POSITIVE_INFINITY) })).not.toThrow();
  expect(run({ nodes: 1 })).not.toThrow();
});

test("of parameters that are synchronised now and then only what is certain counts", () => {
  const strategy = every(8);
  expect(run({ strategy, maxSteps: 15 })).not.toThrow();
  // The synchronisation after step 16 could be the end of the one before.
  expect(run({ strategy, maxSteps: 23 })).not.toThrow();
  expect(run({ strategy, maxSteps: 24 })).toThrow("still exchange after step 16");
});
