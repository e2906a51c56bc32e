// The ends of flows against a simulation that works out every rate anew at every event.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChangingFlowSimulation, type FlowCourse } from "./changingFlows.ts";
import { type Flow, FlowSimulation } from "./flows.ts";
import { bruteForceEnds, type Changing } from "./test/bruteForce.ts";

interface Numbered extends Flow {
  readonly place: number;
}

interface World {
  readonly capacities: readonly number[];
  readonly flows: readonly Numbered[];
}

/** Many flows meet at the first capacities, or each at its own; sizes, weights and limits are equal now and then. */
const worlds: fc.Arbitrary<World> = fc.integer({ min: 1, max: 6 }).chain((count) =>
  fc
    .record({
      capacities: fc.array(
        fc.oneof(fc.integer({ min: 1, max: 20 }), fc.double({ min: 0.5, max: 1000, noNaN: true })),
        {
          minLength: count,
          maxLength: count,
        },
      ),
      flows: fc.array(
        fc.record({
          resources: fc.oneof(fc.constant([0]), fc.uniqueArray(fc.nat(count - 1), { minLength: 1 })),
          own: fc.oneof(
            fc.constant(Number.POSITIVE_INFINITY),
            fc.double({ min: 0.1, max: 100, noNaN: true }),
          ),
          weight: fc.oneof(fc.constant(1), fc.double({ min: 0.01, max: 10, noNaN: true })),
          size: fc.oneof(fc.nat(20), fc.double({ min: 0.01, max: 1e5, noNaN: true })),
          begin: fc.oneof(fc.constant(0), fc.nat(10), fc.double({ min: 0, max: 1000, noNaN: true })),
        }),
        { maxLength: 30, size: "max" },
      ),
    })
    .map(({ capacities, flows }) => ({
      capacities,
      flows: flows.map(({ own, resources, ...flow }, place) => ({
        ...flow,
        place,
        resources: resources,
        limit: Math.min(own, ...Array.from<number>(resources).map((resource) => capacities[resource]!)),
      })),
    })),
);

interface Simulation {
  next(): { readonly time: number; readonly arrived: readonly { readonly place: number }[] } | undefined;
}

function endsOf(simulation: Simulation, count: number): readonly number[] {
  const ends = new Array<number>(count).fill(Number.NaN);
  for (let event = simulation.next(); event !== undefined; event = simulation.next())
    for (const { place } of event.arrived) ends[place] = event.time;
  return ends;
}

function expectSameEnds(ends: readonly number[], expected: readonly number[]): void {
  for (const [place, end] of expected.entries())
    expect(Math.abs(ends[place]! - end)).toBeLessThanOrEqual(1e-9 * Math.max(1, end));
}

/** Capacities that are a half of what they were for every other tick of the first twenty. */
function halvedEveryOther(tick: number, capacities: readonly number[]): Changing {
  const halves = capacities.map((capacity) => capacity / 2);
  const moments = Array.from({ length: 20 }, (_, i) => (i + 1) * tick);
  const at = (time: number): readonly number[] =>
    moments.filter((moment) => moment <= time).length % 2 === 1 ? halves : capacities;
  return { at, moments };
}

function courseOf({ resources, weight, limit }: Flow, { at, moments }: Changing): FlowCourse {
  return {
    wayAt: () => ({ resources, weight, ceiling: limit }),
    at: (time) => Math.min(limit, ...Array.from(resources, (resource) => at(time)[resource]!)),
    capacity: (resource, time) => at(time)[resource]!,
    isHeldUp: () => false,
    nextChange: (time) => moments.find((moment) => moment > time) ?? Number.POSITIVE_INFINITY,
  };
}

describe.each([2, 8, Number.POSITIVE_INFINITY])("bottlenecks kept from %d flows", (keptFrom) => {
  test("flows end when brute force says", () => {
    fc.assert(
      fc.property(worlds, ({ capacities, flows }) => {
        const simulation = new FlowSimulation<Numbered>(capacities, keptFrom);
        for (const flow of flows) simulation.start(flow);
        expectSameEnds(
          endsOf(simulation, flows.length),
          bruteForceEnds(flows, { at: () => capacities, moments: [] }),
        );
      }),
      { numRuns: 100 },
    );
  });

  test("and when capacities change on the way, too", () => {
    fc.assert(
      fc.property(worlds, fc.double({ min: 0.1, max: 10, noNaN: true }), ({ capacities, flows }, tick) => {
        const changing = halvedEveryOther(tick, capacities);
        const simulation = new ChangingFlowSimulation<Numbered & { readonly course: FlowCourse }>(
          undefined,
          keptFrom,
        );
        for (const flow of flows) simulation.start({ ...flow, course: courseOf(flow, changing) });
        expectSameEnds(endsOf(simulation, flows.length), bruteForceEnds(flows, changing));
      }),
      { numRuns: 60 },
    );
  });

  test("a simulation in which all have ended moves others to the bit as a new one does", () => {
    fc.assert(
      fc.property(worlds, fc.nat(30), ({ capacities, flows }, count) => {
        const simulation = new FlowSimulation<Numbered>(capacities, keptFrom);
        for (const flow of flows.slice(0, count)) simulation.start(flow);
        endsOf(simulation, flows.length);
        const fresh = new FlowSimulation<Numbered>(capacities, keptFrom);
        for (const flow of flows) {
          simulation.start(flow);
          fresh.start(flow);
        }
        expect(endsOf(simulation, flows.length)).toEqual(endsOf(fresh, flows.length));
      }),
      { numRuns: 200 },
    );
  });
});
