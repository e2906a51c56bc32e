import type { RunEvent } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { summaryTable } from "./summaryTable.ts";
import { faultyRun } from "./test/faultyRun.ts";
import { sampleRun } from "./test/sampleRun.ts";

test("a finished run", () => {
  expect(summaryTable(sampleRun())).toMatchInlineSnapshot(`
    "digits-fedavg-wan  fedavg, 3 nodes, 300 of 300 steps, completed
                      global        local
    test loss         0.1255        0.1405
    test accuracy     89.32 %       86.64 %
    simulated time    5.66 s
                      compute 33.1 %, communication 60.4 %, waiting 6.5 %
    sent per node     16.3 MB
    parameters        203,530
    wall time         2.31 s
    "
  `);
});

test("a run that failed before its first evaluation", () => {
  const record = sampleRun({
    outcome: "failed",
    message: "Node 2 ran out of memory. Lower batchSize.",
    steps: 5,
    valInterval: 0,
  });
  const events = record.events.filter(({ type }) => type !== "evaluation");
  expect(summaryTable({ ...record, events })).toMatchInlineSnapshot(`
    "digits-fedavg-wan  fedavg, 3 nodes, 5 of 5 steps, failed
    Node 2 ran out of memory. Lower batchSize.
    training loss     0.1606
    simulated time    38.6 ms
                      compute 100.0 %, communication 0.0 %, waiting 0.0 %
    sent per node     0 B
    parameters        203,530
    wall time         2.31 s
    "
  `);
});

test("a run that has diverged is not called completed", () => {
  const table = summaryTable(sampleRun({ steps: 50, bend: (loss, step) => (step > 7 ? Number.NaN : loss) }));
  expect(table).toMatch(
    /50 of 50 steps, diverged\nFrom step 8 on the loss is no finite number: the run has diverged\./,
  );
});

test("a run that met faults: how many, and who is left", () => {
  const table = summaryTable(faultyRun({ nodes: 5, steps: 100, rollBacks: 0.2 }));
  expect(table).toMatch(/\nfaults {12}\d+ crash(es)?, \S+ recover(y|ies), \S+ roll-backs?\n/);
  expect(table).toMatch(/\nnodes at the end {2}[0-5] of 5\n/);
  expect(summaryTable(faultyRun({ rate: 0 }))).toContain(
    "faults            no crashes, no recoveries, no roll-backs\nnodes at the end  3 of 3\n",
  );
});

test("a list that is too long for its line goes on under itself, and loses nothing", () => {
  const { events, ...record } = faultyRun({ nodes: 5, steps: 100 });
  const hindered = Array.from({ length: 300 }, (_, i): RunEvent => {
    const kind = i % 3 === 0 ? "straggler" : "outage";
    return { type: "fault", kind, time: i / 100, ranks: [i % 5], message: `${kind}.`, until: i / 100 + 1 };
  });
  const table = summaryTable({ ...record, events: [...events, ...hindered] });
  expect(table).toMatch(/\nfaults {12}\d+ crash.*,\n {18}.*200 outages\nnodes at the end/);
  expect(table).toContain("100 stragglers");
  for (const line of table.split("\n")) expect([...line].length).toBeLessThanOrEqual(80);
});

test("the wall time of a resumed run says from where it counts", () => {
  const record = sampleRun();
  const events = record.events.map((event) =>
    event.type === "runStarted" ? { ...event, resumedFrom: 120 } : event,
  );
  expect(summaryTable({ ...record, events })).toContain("wall time         2.31 s        since step 120\n");
});

test("no line is wider than 80 columns, none ends in a space, no control character gets through", () => {
  const text = fc.string({ unit: "binary", maxLength: 300 });
  fc.assert(
    fc.property(
      text,
      text,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 5 }),
      (name, message, nodes, steps) => {
        const table = summaryTable(sampleRun({ name, message, nodes, steps, outcome: "failed" }));
        expect(table.endsWith("\n")).toBe(true);
        for (const line of table.slice(0, -1).split("\n")) {
          expect([...line].length).toBeLessThanOrEqual(80);
          expect(line).not.toMatch(/\p{Cc}/u);
        }
      },
    ),
  );
});
