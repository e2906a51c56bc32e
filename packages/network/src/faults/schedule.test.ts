import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resolveNetwork } from "../network.ts";
import { components, primaryComponent } from "./components.ts";
import type { Fault, FaultOptions } from "./options.ts";
import { createFaultSchedule, type FaultSchedule, type LinkOutage } from "./schedule.ts";

const WORLD = 5;
const random = createRandom(3);
const scheduleOf = (options: FaultOptions, seed = 1): FaultSchedule =>
  createFaultSchedule(options, { worldSize: WORLD, random: createRandom(seed) });

const node = fc.integer({ min: 0, max: WORLD - 1 });
/** In whole milliseconds: between two moments there are others. */
const time = fc.integer({ min: 0, max: 100_000 }).map((milliseconds) => milliseconds / 1000);
const span = fc.option(
  fc.integer({ min: 100, max: 50_000 }).map((milliseconds) => milliseconds / 1000),
  { nil: undefined },
);
const interval = fc
  .tuple(time, span)
  .map(([from, length]) => ({ from, ...(length === undefined ? {} : { until: from + length }) }));
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.tuple(node, interval).map(
    ([rank, { from, ...end }]): Fault => ({
      kind: "crash",
      node: rank,
      at: from,
      ...("until" in end ? { rejoin: end.until as number } : {}),
    }),
  ),
  fc
    .tuple(node, node, interval)
    .filter(([a, b]) => a !== b)
    .map(([a, b, when]): Fault => ({ kind: "linkDown", nodes: [a, b], ...when })),
  fc.tuple(node, interval).map(([rank, when]): Fault => ({ kind: "partition", groups: [[rank]], ...when })),
);
const onAndOff = fc.record({
  uptime: fc.double({ min: 1, max: 50, noNaN: true }),
  downtime: fc.double({ min: 0.5, max: 10, noNaN: true }),
});
const options: fc.Arbitrary<FaultOptions> = fc.record(
  {
    schedule: fc.array(fault, { maxLength: 4 }),
    churn: onAndOff,
    disconnects: onAndOff,
    partitions: onAndOff,
  },
  { requiredKeys: ["schedule"] },
);

const pairs = Array.from({ length: WORLD }, (_, a) => a).flatMap((a) =>
  Array.from({ length: a }, (_, b) => [a, b] as const),
);
const statesAt = (faults: FaultSchedule, at: number): string =>
  pairs.map(([a, b]) => (faults.isUp(a, b, at) ? 1 : 0)).join("");

describe("a schedule of faults", () => {
  test("a link is up where both nodes run and no outage says otherwise", () => {
    fc.assert(
      fc.property(options, (given) => {
        const faults = scheduleOf(given);
        const told: LinkOutage[] = [];
        const isCut = (a: number, b: number, at: number): boolean =>
          told.some((outage) => {
            if (!(outage.from <= at && at < outage.until)) return false;
            if (outage.kind === "link") return outage.nodes.includes(a) && outage.nodes.includes(b);
            if (outage.kind === "node") return outage.node === a || outage.node === b;
            return outage.groups.every((group) => !(group.includes(a) && group.includes(b)));
          });
        for (let at = 0, changes = 0; at < 200 && changes < 100; changes++) {
          told.push(...faults.outagesFrom(at));
          const next = faults.nextChange(at);
          for (const moment of [at, at + (Math.min(next, 300) - at) / 2])
            for (const [a, b] of pairs)
              expect(faults.isUp(a, b, moment), `nodes ${a} and ${b} at ${moment} s`).toBe(
                faults.isRunning(a, moment) && faults.isRunning(b, moment) && !isCut(a, b, moment),
              );
          at = next;
        }
        expect(faults.hasOutages || told.length === 0).toBe(true);
      }),
    );
  });

  test("changes only at the moments that it names, and says the same in any order of questions", () => {
    fc.assert(
      fc.property(options, fc.array(time, { maxLength: 20 }), (given, moments) => {
        const faults = scheduleOf(given);
        const fresh = scheduleOf(given);
        for (const at of moments) {
          const until = Math.min(faults.nextChange(at), 1000);
          expect(until).toBeGreaterThan(at);
          for (const part of [0, 0.3, 0.999])
            expect(statesAt(faults, at + part * (until - at)), `between ${at} and ${until}`).toBe(
              statesAt(faults, at),
            );
        }
        for (const at of moments.toSorted((a, b) => a - b))
          expect(statesAt(fresh, at)).toBe(statesAt(faults, at));
      }),
    );
  });

  test("a node is down exactly in its downtimes, and has no link then", () => {
    fc.assert(
      fc.property(options, node, time, (given, rank, at) => {
        const faults = scheduleOf(given);
        const downtime = faults.nextDowntime(rank, at);
        expect(faults.isRunning(rank, at)).toBe(downtime === undefined || downtime.from > at);
        if (downtime === undefined) return;
        expect(downtime.until).toBeGreaterThan(Math.max(at, downtime.from));
        for (const moment of [downtime.from, (downtime.from + Math.min(downtime.until, 1e6)) / 2]) {
          expect(faults.isRunning(rank, moment)).toBe(false);
          for (let other = 0; other < WORLD; other++)
            if (other !== rank) expect(faults.isUp(rank, other, moment)).toBe(false);
        }
        // Back means back: not the end of one fault in the midst of another.
        if (downtime.until < Number.POSITIVE_INFINITY)
          expect(faults.isRunning(rank, downtime.until)).toBe(true);
      }),
    );
  });

  test("random downtimes have the means that were asked for", () => {
    const faults = scheduleOf({ churn: { uptime: 30, downtime: 10 } });
    let [ups, downs, count] = [0, 0, 0];
    for (let rank = 0; rank < WORLD; rank++)
      for (let at = 0; at < 40_000; count++) {
        const { from, until } = faults.nextDowntime(rank, at)!;
        ups += from - at;
        downs += until - from;
        at = until;
      }
    // About 5,000 draws: five standard errors are 7 % of the mean.
    expect(Math.abs(ups / count / 30 - 1)).toBeLessThan(0.07);
    expect(Math.abs(downs / count / 10 - 1)).toBeLessThan(0.07);
  });

  test("stragglers are slow in their interval, and by chance as often as was asked for", () => {
    const faults = scheduleOf({
      schedule: [{ kind: "straggler", node: 2, slowdown: 3, from: 5, until: 7 }],
    });
    expect([4.9, 5, 6.9, 7].map((at) => faults.slowdown(2, at))).toEqual([1, 3, 3, 1]);
    expect(faults.slowdown(1, 6)).toBe(1);
    expect(faults.slowness(2, 6)).toEqual([{ from: 5, until: 7, slowdown: 3 }]);
    expect(faults.affectsLinks).toBe(false);
    const often = scheduleOf({ stragglers: { probability: 0.25, slowdown: 4, interval: 2 } });
    const slow = Array.from({ length: 4000 }, (_, i) => often.slowdown(i % WORLD, 2 * i + 0.5)).filter(
      (factor) => factor === 4,
    ).length;
    expect(Math.abs(slow / 4000 - 0.25)).toBeLessThan(0.05);
  });
});

test("the primary component is the largest that holds together, the lowest of two equal ones", () => {
  const { topology } = resolveNetwork({ topology: "ring" }, { worldSize: WORLD, random });
  const of = (...schedule: readonly Fault[]): readonly number[] =>
    [...primaryComponent(topology, scheduleOf({ schedule }), 1)].sort((a, b) => a - b);
  expect(of()).toEqual([0, 1, 2, 3, 4]);
  expect(of({ kind: "linkDown", nodes: [0, 1], from: 0 })).toEqual([0, 1, 2, 3, 4]);
  expect(of({ kind: "partition", groups: [[0, 1]], from: 0 })).toEqual([2, 3, 4]);
  expect(of({ kind: "crash", node: 4, at: 0 }, { kind: "partition", groups: [[0, 1]], from: 0 })).toEqual([
    0, 1,
  ]);
  expect(of({ kind: "crash", node: 2, at: 0 })).toEqual([0, 1, 3, 4]);
  const cut: Fault = { kind: "partition", groups: [[0], [1, 2]], from: 0 };
  const parts = components(topology, scheduleOf({ schedule: [cut] }), 1).map((part) => [...part]);
  expect(parts.map((part) => part.sort((a, b) => a - b))).toEqual([[1, 2], [3, 4], [0]]);
});

test.each<readonly [FaultOptions, string]>([
  [
    { schedule: [{ kind: "crash", node: 5, at: 1 }] },
    '"faults.schedule[0].node": expected a node from 0 to 4, got 5',
  ],
  [
    { schedule: [{ kind: "crash", node: 1, at: -1 }] },
    '"faults.schedule[0].at": expected seconds of at least 0',
  ],
  [
    { schedule: [{ kind: "crash", node: 1, at: 3, rejoin: 2 }] },
    '"faults.schedule[0].rejoin": expected seconds after "at" (3), got 2',
  ],
  [
    { schedule: [{ kind: "linkDown", nodes: [1, 1], from: 0 }] },
    '"faults.schedule[0].nodes": expected two different nodes',
  ],
  [
    { schedule: [{ kind: "partition", groups: [[0, 1, 2, 3, 4]], from: 0 }] },
    '"faults.schedule[0].groups": expected groups that part the nodes',
  ],
  [{ schedule: [{ kind: "straggler", node: 0, slowdown: 0.5 }] }, '"faults.schedule[0].slowdown"'],
  [{ churn: { uptime: 0, downtime: 1 } }, '"faults.churn.uptime": expected seconds from 0.00001 on, got 0'],
  [
    { disconnects: { uptime: 1, downtime: 1e-9 } },
    '"faults.disconnects.downtime": expected seconds from 0.00001 on, got 1e-9',
  ],
  [
    { stragglers: { probability: 2, slowdown: 2 } },
    '"faults.stragglers.probability": expected a number from 0 to 1',
  ],
])("refuses %j", (given, message) => {
  expect(() => scheduleOf(given)).toThrow(message);
});
