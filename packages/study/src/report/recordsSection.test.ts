// The section of what runs recorded: there for runs that recorded something, for one run and for many, whatever the numbers.

import { RECORDED_QUANTITIES, type Recorded, type RunEvent } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { RunRecord } from "../record.ts";
import { strayPoints } from "../test/figurePoints.ts";
import { sampleRun } from "../test/sampleRun.ts";
import { malformation } from "../test/wellFormed.ts";
import { renderReport } from "./report.ts";

const STEPS = 40;
const value = fc.oneof(
  { weight: 4, arbitrary: fc.float({ min: -1, max: 100, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 1e-30, 1e30, Number.NaN, Number.POSITIVE_INFINITY) },
);
const recorded: fc.Arbitrary<Recorded> = fc.record({
  type: fc.constant("recorded" as const),
  quantity: fc.constantFrom(...RECORDED_QUANTITIES),
  step: fc.integer({ min: 1, max: STEPS }),
  time: fc.constant(1),
  nodes: fc.integer({ min: 1, max: 9 }),
  mean: value,
  range: fc.option(fc.record({ min: value, max: value })),
});

/** A run of which some steps were recorded. */
function recordedRun(seed: number, records: readonly Recorded[]): RunRecord {
  const run = sampleRun({ name: `run ${seed}`, steps: STEPS, seed });
  const after = ({ type, ...event }: RunEvent): readonly Recorded[] =>
    type === "step" && "step" in event ? records.filter(({ step }) => step === event.step) : [];
  return { ...run, events: run.events.flatMap((event) => [event, ...after(event)]) };
}

const pageOf = (lists: readonly (readonly Recorded[])[]): string =>
  renderReport(...lists.map((records, seed) => recordedRun(seed, records)));

test("is well-formed and keeps every point inside its plot, for one run and for several", () => {
  const runs = fc.array(fc.array(recorded, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(runs, (lists) => {
      const page = pageOf(lists);
      expect(malformation(page)).toBeNull();
      expect(page).toContain('id="records"');
      expect(strayPoints(page)).toEqual([]);
    }),
    { numRuns: 12 },
  );
});

test("has a panel for each quantity, the nodes' range where there is one, and says what is not finite", () => {
  const record = (quantity: Recorded["quantity"], range: Recorded["range"], mean: number): Recorded[] =>
    Array.from({ length: STEPS }, (_, i) => ({
      type: "recorded",
      quantity,
      step: i + 1,
      time: 1,
      nodes: 3,
      mean: i === 4 ? Number.NaN : mean,
      range,
    }));
  const page = pageOf([
    [...record("correlation", null, 0.9), ...record("gradientNorm", { min: 1, max: 3 }, 2)],
  ]);
  const section = page.slice(page.indexOf('id="records"'), page.indexOf('id="time"'));
  for (const title of ["correlation of parameters against steps", "gradient norm against steps"])
    expect(section).toContain(title);
  expect(section).not.toContain("compression error against steps");
  expect(section).toContain("lowest and highest of the nodes");
  expect(section).toContain("2 of 80 records are not finite (NaN or infinite), first at step 5.");
});

test("is left out where nothing was recorded, and says so where it was asked for", () => {
  expect(renderReport(sampleRun())).not.toContain('id="records"');
  const asked = sampleRun({ config: { resolved: { record: { quantities: ["correlation"] } } } });
  expect(renderReport({ ...asked, config: { ...asked.config, record: {} } })).toContain(
    "Nothing was recorded before the end.",
  );
});
