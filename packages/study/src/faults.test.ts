import type { FaultHappened } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { countFaults, describeCounts, faultsOf, nodeTimelines } from "./faults.ts";
import { faultyRun } from "./test/faultyRun.ts";

const fault = (
  kind: FaultHappened["kind"],
  time: number,
  ranks: readonly number[],
  details: Pick<FaultHappened, "until" | "step"> = {},
): FaultHappened => ({ type: "fault", kind, time, ranks, message: "", ...details });

const absentOf = (faults: readonly FaultHappened[], nodes: number, end = 10) =>
  nodeTimelines(faults, { nodes, end }).map(({ absent }) =>
    absent.map(({ kind, from, until }) => `${kind} ${from}-${until}`),
  );

test("a node is down until it is up, and behind until it has a state again", () => {
  const faults = [
    fault("crash", 1, [1], { until: 3 }),
    fault("goneOn", 2, [1]),
    fault("recovered", 4, [1]),
    fault("crash", 5, [2], { until: null }),
    fault("crash", 6, [0], { until: 8 }),
  ];
  expect(absentOf(faults, 3)).toEqual([
    ["down 6-8", "behind 8-10"],
    ["down 1-3", "behind 3-4"],
    ["down 5-10"],
  ]);
  expect(describeCounts(countFaults(faults, 3))).toBe(
    "3 crashes, 1 recovery, no roll-backs; 1 of 3 nodes at the end",
  );
});

test("nodes that the others go on without are behind until they are no longer missing", () => {
  const faults = [fault("goneOn", 1, [0, 2]), fault("goneOn", 3, [2]), fault("goneOn", 4, [])];
  expect(absentOf(faults, 3)).toEqual([["behind 1-3"], [], ["behind 1-4"]]);
});

test("after a roll-back all nodes take part that are up by then", () => {
  const faults = [
    fault("crash", 1, [0], { until: 2 }),
    fault("crash", 1, [1], { until: 7 }),
    fault("crash", 1, [2], { until: null }),
    fault("goneOn", 1, [0, 1, 2, 3]),
    fault("rolledBack", 4, [0, 1, 2, 3], { step: 0 }),
  ];
  expect(absentOf(faults, 4)).toEqual([
    ["down 1-2", "behind 2-4"],
    ["down 1-7", "behind 7-10"],
    ["down 1-10"],
    ["behind 1-4"],
  ]);
  expect(countFaults(faults, 4)).toEqual({
    nodes: 4,
    crashes: 3,
    recoveries: 0,
    rollBacks: 1,
    stragglers: 0,
    outages: 0,
    nodesLeft: 2,
  });
});

test("slow nodes and links that are down hinder nodes, and make nobody absent", () => {
  const faults = [
    fault("straggler", 1, [1], { until: 3 }),
    fault("outage", 2, [0, 1], { until: null }),
    fault("outage", 4, [2], { until: 5 }),
  ];
  expect(absentOf(faults, 3)).toEqual([[], [], []]);
  const hindered = nodeTimelines(faults, { nodes: 3, end: 10 }).map((timeline) => timeline.hindered);
  expect(hindered).toEqual([
    [{ kind: "cut", from: 2, until: 10 }],
    [
      { kind: "slow", from: 1, until: 3 },
      { kind: "cut", from: 2, until: 10 },
    ],
    [{ kind: "cut", from: 4, until: 5 }],
  ]);
  expect(describeCounts(countFaults(faults, 3))).toBe(
    "no crashes, no recoveries, no roll-backs, 1 straggler, 2 outages; 3 of 3 nodes at the end",
  );
});

test("whatever the log, absences are in order, apart from each other and within the run", () => {
  const arbitraryFault = fc
    .record({
      kind: fc.constantFrom("crash", "recovered", "goneOn", "rolledBack"),
      time: fc.double({ min: 0, max: 10, noNaN: true }),
      ranks: fc.uniqueArray(fc.integer({ min: 0, max: 5 })),
      until: fc.option(fc.double({ min: 0, max: 20, noNaN: true })),
    })
    .map(({ kind, time, ranks, until }) => fault(kind as FaultHappened["kind"], time, ranks, { until }));
  fc.assert(
    fc.property(fc.array(arbitraryFault), (faults) => {
      for (const { absent } of nodeTimelines(faults, { nodes: 4, end: 10 })) {
        let last = 0;
        for (const { from, until } of absent) {
          expect(from).toBeGreaterThanOrEqual(last);
          expect(until).toBeGreaterThan(from);
          last = until;
        }
        expect(last).toBeLessThanOrEqual(10);
      }
    }),
  );
});

test("who is left at the end is who is not absent then", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const faults = faultsOf(faultyRun({ nodes: 6, steps: 80, rate: 0.5, seed }).events);
      const end = Math.max(0, ...faults.map(({ time }) => time)) + 10;
      const absent = nodeTimelines(faults, { nodes: 6, end }).filter(
        (timeline) => timeline.absent.at(-1)?.until === end,
      );
      expect(countFaults(faults, 6).nodesLeft).toBe(6 - absent.length);
    }),
  );
});
