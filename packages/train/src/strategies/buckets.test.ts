// DDP in buckets: a what-if that changes when gradients are sent, and nothing else.

import { adamW } from "@atoll/tensor";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ComputeOptions } from "../compute.ts";
import type { FitOptions } from "../options.ts";
import { numbersOf, parameterDistance, type Rehearsal, rehearse } from "../test/runs.ts";
import { ddp } from "./index.ts";

const STEPS = 3;
const NODES = 4;
/** A second of computing a step. */
const compute: ComputeOptions = { kind: "measured", durations: [1] };
const exact = { jitter: 0, loss: 0, tcp: "none" } as const;

const run = (buckets: number, options: Partial<FitOptions> = {}): Promise<Rehearsal> =>
  rehearse({
    strategy: ddp({ buckets, optimizer: adamW() }),
    nodes: NODES,
    maxSteps: STEPS,
    compute,
    ...options,
  });

/** Seconds of one step, from the moments at which buckets may be sent and the time that each takes. */
function stepSeconds(bytes: readonly number[], latency: number, bandwidth: number): number {
  let line = 0;
  for (const [bucket, size] of bytes.entries()) {
    const ready = 1 / 3 + ((2 / 3) * (bucket + 1)) / bytes.length;
    line = Math.max(line, ready) + 2 * (NODES - 1) * (latency + size / NODES / bandwidth);
  }
  return line;
}

test("one bucket is no overlap, to the bit", async () => {
  const network = { profile: "mobile", topology: "ring" } as const;
  const [none, one] = await Promise.all([run(0, { network }), run(1, { network })]);
  expect(numbersOf(one)).toEqual(numbersOf(none));
});

test("on a network that takes no time a run takes its compute time", async () => {
  const network = { ...exact, bandwidth: 1e300, latency: 0 };
  for (const buckets of [0, 1, 2, 7]) {
    const { result } = await run(buckets, { network });
    expect(result.simulatedSeconds).toBeCloseTo(STEPS, 9);
  }
});

test("steps last as long as the queue of buckets; what is hidden counts as compute only", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, 2, 3, 4),
      fc.double({ min: 0, max: 0.1, noNaN: true }),
      fc.double({ min: 1.5, max: 5, noNaN: true }),
      async (buckets, latency, logBandwidth) => {
        const bandwidth = 10 ** logBandwidth;
        const { result } = await run(buckets, { network: { ...exact, latency, bandwidth } });
        const { parameterCount: P } = result;
        const bound = (b: number): number => Math.floor((P * b) / buckets);
        const bytes = Array.from(
          { length: buckets },
          (_, b) => 4 * (bound(buckets - b) - bound(buckets - b - 1)),
        );
        const expected = STEPS * stepSeconds(bytes, latency, bandwidth);
        // A ring's chunks differ by one element at most, which its formula does not know.
        const rounding = (STEPS * buckets * 2 * (NODES - 1) * 4) / bandwidth;
        expect(Math.abs(result.simulatedSeconds - expected)).toBeLessThanOrEqual(rounding + 1e-9);
        for (const { compute, communication, waiting } of result.nodes) {
          expect(compute).toBeCloseTo(STEPS, 9);
          expect(compute + communication + waiting).toBeLessThanOrEqual(result.simulatedSeconds + 1e-9);
        }
      },
    ),
    { numRuns: 15 },
  );
});

test("the same bytes are sent, and sums are the same but for rounding", async () => {
  const none = await run(0);
  const bucketed = await run(5);
  expect(bucketed.result.bytesSent.reduce((sum, bytes) => sum + bytes, 0)).toBe(
    none.result.bytesSent.reduce((sum, bytes) => sum + bytes, 0),
  );
  expect(parameterDistance(bucketed.result, none.result)).toBeLessThan(1e-5);
  // Through a hub every element is added in the ranks' order, whatever the buckets.
  const network = { topology: "star" } as const;
  const [a, b] = await Promise.all([run(0, { network }), run(5, { network })]);
  expect(b.result.parameters).toEqual(a.result.parameters);
});

test("a run in buckets goes on from a checkpoint as if it had never stopped, and says that it is a what-if", async () => {
  const options = { network: { profile: "wan" }, checkpointInterval: 1 } as const;
  const whole = await run(3, options);
  const resumed = await run(3, { ...options, resume: whole.snapshots.get(2)! });
  expect({ ...resumed.result, wallSeconds: 0 }).toEqual({ ...whole.result, wallSeconds: 0 });
  const [started] = whole.events;
  expect(started).toMatchObject({ config: { strategy: { kind: "ddp", buckets: 3, overlap: "what-if" } } });
  expect((await run(0)).events[0]).toMatchObject({ config: { strategy: { kind: "ddp" } } });
  expect(ddp().config).toEqual({ kind: "ddp" });
});
