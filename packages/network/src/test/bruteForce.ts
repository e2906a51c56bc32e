// Max-min fair rates by raising all of them in small steps, and the ends of flows at such rates: the oracles of sharing.ts
// and flows.ts. They look at every flow at every event, keep nothing from one to the next, and share no code with either.

import type { Flow } from "../flows.ts";

/** Flows that compete for capacities. */
export interface Contest {
  readonly capacities: readonly number[];
  readonly flows: readonly {
    readonly resources: readonly number[];
    /** The highest rate that the flow could use. */
    readonly own: number;
    readonly weight: number;
  }[];
}

/**
 * Raises all open rates together, each by its weight, by the smallest step that uses something up.
 * @returns a rate for each flow
 */
export function bruteForce({ capacities, flows }: Contest): readonly number[] {
  const rates = flows.map(() => 0);
  const open = new Set(flows.keys());
  const left = [...capacities];
  while (open.size > 0) {
    const takers = (resource: number): number =>
      [...open]
        .filter((flow) => Array.from<number>(flows[flow]!.resources).includes(resource))
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
      if (
        own - rates[flow]! < 1e-9 ||
        Array.from<number>(resources).some((resource) => left[resource]! < 1e-9)
      )
        open.delete(flow);
    }
  }
  return rates;
}

/** Capacities that change at some moments, ascending. */
export interface Changing {
  readonly at: (time: number) => readonly number[];
  readonly moments: readonly number[];
}

/** When each flow ends; a flow's limit counts as the highest rate that it could use. */
export function bruteForceEnds(flows: readonly Flow[], capacities: Changing): readonly number[] {
  const ends = flows.map(({ begin, size }) => (size === 0 ? begin : Number.NaN));
  const left = flows.map(({ size }) => size);
  let now = 0;
  for (;;) {
    const open = [...flows.keys()].filter((flow) => Number.isNaN(ends[flow]));
    if (open.length === 0) return ends;
    const moving = open.filter((flow) => flows[flow]!.begin <= now);
    const rates = bruteForce({
      capacities: capacities.at(now),
      flows: moving.map((flow) => ({ ...flows[flow]!, own: flows[flow]!.limit })),
    });
    const begins = open.map((flow) => flows[flow]!.begin);
    const stops = [...begins, ...capacities.moments].filter((moment) => moment > now);
    const finishes = moving.map((flow, i) => now + left[flow]! / rates[i]!);
    const next = Math.min(...stops, ...finishes);
    for (const [i, flow] of moving.entries()) {
      left[flow]! -= rates[i]! * (next - now);
      if (finishes[i]! <= next) ends[flow] = next;
    }
    now = next;
  }
}
