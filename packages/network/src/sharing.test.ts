import fc from "fast-check";
import { expect, test } from "vitest";
import { FairSharing } from "./sharing.ts";

interface Case {
  readonly capacities: readonly number[];
  readonly flows: readonly {
    readonly resources: readonly number[];
    readonly own: number;
    readonly weight: number;
  }[];
}

const cases: fc.Arbitrary<Case> = fc.integer({ min: 1, max: 6 }).chain((resources) =>
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

interface Allocated {
  readonly resources: readonly number[];
  readonly limit: number;
  readonly rate: number;
  readonly weight: number;
}

function allocated({ capacities, flows }: Case): readonly Allocated[] {
  const sharing = new FairSharing(capacities);
  const limits = flows.map(({ resources, own }) => Math.min(own, ...resources.map((at) => capacities[at]!)));
  const addAll = (): readonly number[] =>
    flows.map(({ resources, weight }, i) => sharing.add(Int32Array.from(resources), limits[i]!, weight));
  // Flows that have come and gone must leave no trace.
  const guests = addAll();
  const numbers = addAll();
  for (const guest of guests) sharing.remove(guest);
  sharing.allocate();
  return flows.map(({ resources, weight }, i) => ({
    resources,
    weight,
    limit: limits[i]!,
    rate: sharing.rates[numbers[i]!]!,
  }));
}

/** Raises all open rates together, each by its weight, by the smallest step that uses something up; one tiny piece of code, no heap. */
function bruteForce({ capacities, flows }: Case): readonly number[] {
  const rates = flows.map(() => 0);
  const open = new Set(flows.keys());
  const left = [...capacities];
  while (open.size > 0) {
    const takers = (resource: number): number =>
      [...open]
        .filter((flow) => flows[flow]!.resources.includes(resource))
        .reduce((sum, flow) => sum + flows[flow]!.weight, 0);
    const steps = [
      ...[...open].map((flow) => (flows[flow]!.own - rates[flow]!) / flows[flow]!.weight),
      ...left.flatMap((amount, resource) => (takers(resource) === 0 ? [] : [amount / takers(resource)])),
    ];
    const step = Math.min(...steps);
    left.forEach((_, resource) => {
      left[resource]! -= step * takers(resource);
    });
    for (const flow of open) rates[flow]! += step * flows[flow]!.weight;
    for (const flow of [...open]) {
      const { resources, own } = flows[flow]!;
      if (own - rates[flow]! < 1e-9 || resources.some((resource) => left[resource]! < 1e-9))
        open.delete(flow);
    }
  }
  return rates;
}

test("rates are those of brute force", () => {
  fc.assert(
    fc.property(cases, (example) => {
      const rates = allocated(example).map(({ rate }) => rate);
      for (const [flow, rate] of bruteForce(example).entries()) expect(rates[flow]).toBeCloseTo(rate, 8);
    }),
    { numRuns: 1000 },
  );
});

test("no capacity is overdrawn, and every flow is at its limit or has a bottleneck: the definition of max-min fairness", () => {
  fc.assert(
    fc.property(cases, (example) => {
      const flows = allocated(example);
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
});

test("rates are those of brute force after each of any arrivals and departures, and only flows that were given back differ", () => {
  fc.assert(
    fc.property(
      cases,
      fc.array(fc.array(fc.nat(7), { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
      ({ capacities, flows }, events) => {
        const sharing = new FairSharing(capacities);
        const present = new Map<Case["flows"][number], number>();
        let before = new Map<Case["flows"][number], number>();
        for (const toggled of events) {
          for (const place of toggled) {
            const flow = flows[place];
            if (flow === undefined) continue;
            const number = present.get(flow);
            if (number === undefined) {
              const limit = Math.min(flow.own, ...flow.resources.map((at) => capacities[at]!));
              present.set(flow, sharing.add(Int32Array.from(flow.resources), limit, flow.weight));
            } else {
              sharing.remove(number);
              present.delete(flow);
            }
          }
          const given = new Set(sharing.allocate());
          const inside = [...present.keys()];
          const expected = bruteForce({ capacities, flows: inside });
          const after = new Map(inside.map((flow) => [flow, sharing.rates[present.get(flow)!]!]));
          for (const [i, flow] of inside.entries()) {
            expect(after.get(flow)).toBeCloseTo(expected[i]!, 8);
            if (!given.has(present.get(flow)!)) expect(after.get(flow)).toBe(before.get(flow));
          }
          before = after;
        }
      },
    ),
    { numRuns: 1000 },
  );
});
