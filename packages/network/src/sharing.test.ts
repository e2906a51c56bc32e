import fc from "fast-check";
import { expect, test } from "vitest";
import type { NumberList } from "./numberList.ts";
import { FairSharing } from "./sharing.ts";
import { bruteForce, type Contest } from "./test/bruteForce.ts";

const cases: fc.Arbitrary<Contest> = fc.integer({ min: 1, max: 6 }).chain((resources) =>
  fc.record({
    capacities: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: resources, maxLength: resources }),
    flows: fc.array(
      fc.record({
        resources: fc.uniqueArray(fc.nat(resources - 1), { minLength: 1 }),
        own: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 20 })),
        weight: fc.constantFrom(1, 1, 2, 0.3),
      }),
      { maxLength: 8 },
    ),
  }),
);

const listed = ({ items, size }: NumberList): readonly number[] => items.slice(0, size);

const limitOf = ({ own, resources }: Contest["flows"][number], capacities: readonly number[]): number =>
  Math.min(own, ...Array.from(resources, (at) => capacities[at]!));

interface Allocated {
  readonly resources: readonly number[];
  readonly limit: number;
  readonly rate: number;
  readonly weight: number;
}

/** With how many flows a bottleneck is kept: always where it can be, and never. */
const KEPT_FROM = [2, Number.POSITIVE_INFINITY] as const;

function allocated({ capacities, flows }: Contest, keptFrom: number): readonly Allocated[] {
  const sharing = new FairSharing(capacities, keptFrom);
  const limits = flows.map((flow) => limitOf(flow, capacities));
  const addAll = (): readonly number[] =>
    flows.map(({ resources, weight }, i) => sharing.add(resources, limits[i]!, weight));
  // Flows that have come and gone must leave no trace.
  const guests = addAll();
  const numbers = addAll();
  for (const guest of guests) sharing.remove(guest);
  sharing.allocate();
  return flows.map(({ resources, weight }, i) => ({
    resources: Array.from(resources),
    weight,
    limit: limits[i]!,
    rate: sharing.rate(numbers[i]!),
  }));
}

test.each(KEPT_FROM)("rates are those of brute force; bottlenecks kept from %d flows", (keptFrom) => {
  fc.assert(
    fc.property(cases, (example) => {
      const rates = allocated(example, keptFrom).map(({ rate }) => rate);
      for (const [flow, rate] of bruteForce(example).entries()) expect(rates[flow]).toBeCloseTo(rate, 8);
    }),
    { numRuns: 1000 },
  );
});

test.each(KEPT_FROM)(
  "no capacity is overdrawn, and every flow is at its limit or has a bottleneck: the definition of max-min fairness; kept from %d flows",
  (keptFrom) => {
    fc.assert(
      fc.property(cases, (example) => {
        const flows = allocated(example, keptFrom);
        const on = (resource: number): readonly Allocated[] =>
          flows.filter(({ resources }) => resources.includes(resource));
        const total = (resource: number): number => on(resource).reduce((sum, { rate }) => sum + rate, 0);
        for (const [resource, capacity] of example.capacities.entries())
          expect(total(resource)).toBeLessThanOrEqual(capacity * (1 + 1e-12));
        for (const { resources, limit, rate, weight } of flows) {
          const bottleneck = resources.some(
            (resource) =>
              total(resource) > example.capacities[resource]! * (1 - 1e-12) &&
              on(resource).every((other) => other.rate / other.weight <= (rate / weight) * (1 + 1e-12)),
          );
          expect(bottleneck || rate === limit).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  },
);

test.each(KEPT_FROM)(
  "rates are those of brute force after each of any arrivals and departures, and only what was given back differs; kept from %d flows",
  (keptFrom) => {
    fc.assert(
      fc.property(
        cases,
        fc.array(fc.array(fc.nat(7), { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
        ({ capacities, flows }, events) => {
          const sharing = new FairSharing(capacities, keptFrom);
          const present = new Map<Contest["flows"][number], number>();
          let before = new Map<Contest["flows"][number], number>();
          for (const toggled of events) {
            for (const place of toggled) {
              const flow = flows[place];
              if (flow === undefined) continue;
              const number = present.get(flow);
              if (number === undefined) {
                const limit = limitOf(flow, capacities);
                present.set(flow, sharing.add(flow.resources, limit, flow.weight));
              } else {
                sharing.remove(number);
                present.delete(flow);
              }
            }
            const { flows: changed, bottlenecks } = sharing.allocate();
            const given = new Set(listed(changed));
            const isGiven = (number: number): boolean =>
              given.has(number) || listed(bottlenecks).includes(sharing.bottleneckOf(number));
            const inside = [...present.keys()];
            const expected = bruteForce({ capacities, flows: inside });
            const after = new Map(inside.map((flow) => [flow, sharing.rate(present.get(flow)!)]));
            for (const [i, flow] of inside.entries()) {
              expect(after.get(flow)).toBeCloseTo(expected[i]!, 8);
              if (!isGiven(present.get(flow)!)) expect(after.get(flow)).toBe(before.get(flow));
            }
            before = after;
          }
        },
      ),
      { numRuns: 1000 },
    );
  },
);
