// Max-min fair rates by progressive filling: all flows' rates rise together; when a capacity is used up, the flows on it
// keep the rate they have and the others go on. Source: Bertsekas and Gallager, "Data Networks" (2nd ed.), 6.5.2.
// With weights a flow's rate rises by its weight; "share" and "level" below are rates for a weight of one.
// Filling stops at flows' limits, taken in order, and at capacities, whose fair share never falls while others are frozen: a
// heap finds the next, stale entries put back. Which flows and capacities there are to fill is sharing.ts's business.

import type { FlowTerms } from "./bottleneck.ts";
import { MinHeap } from "./heap.ts";

/** Flows and what they take, by flow number; flows by capacity. */
export interface Sharers extends FlowTerms {
  readonly capacities: readonly number[];
  readonly resources: readonly Int32Array[];
  readonly flowsOn: readonly (readonly number[])[];
  /** All flows by their level, ascending. */
  readonly order: readonly number[];
  /** Bytes per second; filling sets them. */
  readonly rates: number[];
}

/** A capacity and what was its fair share when last looked at. */
interface Level {
  share: number;
  readonly resource: number;
}

const OPEN = -1;

export class Filling {
  readonly #sharers: Sharers;
  /** By capacity: what is left of it, how many flows on it are open, and their weight. */
  readonly #left: number[] = [];
  readonly #open: number[] = [];
  readonly #openWeight: number[] = [];

  constructor(sharers: Sharers) {
    this.#sharers = sharers;
  }

  /** Sets the rates of flows that can be held back by these capacities, which no other flows take, and by nothing else. */
  fill(flows: Int32Array, shared: readonly number[]): void {
    const [first] = shared;
    // Changes at several places may reach flows that have nothing to do with each other.
    if (shared.length === 1 && this.#sharers.flowsOn[first!]!.length === flows.length)
      this.#fillOne(first!, flows);
    else this.#fillMany(flows, shared);
  }

  #fillMany(flows: Int32Array, shared: readonly number[]): void {
    const { capacities, rates, limits, weights, levels, flowsOn } = this.#sharers;
    while (this.#left.length < capacities.length) {
      this.#left.push(0);
      this.#open.push(0);
      this.#openWeight.push(0);
    }
    if (shared.length === 0) {
      for (const flow of flows) rates[flow] = limits[flow]!;
      return;
    }
    for (const flow of flows) rates[flow] = OPEN;
    const heap = new MinHeap<Level>((a, b) => a.share < b.share, this.#levels(shared));
    for (const flow of this.#ascending(flows)) {
      while (rates[flow] === OPEN) {
        const level = this.#lowest(heap);
        if (level === undefined || levels[flow]! <= level.share) this.#freeze(flow, limits[flow]!);
        else
          for (const open of flowsOn[level.resource]!)
            if (rates[open] === OPEN) this.#freeze(open, level.share * weights[open]!);
      }
    }
  }

  /** One capacity that all the flows share: what flows at their limits leave of it, the others share. */
  #fillOne(resource: number, flows: Int32Array): void {
    const { capacities, rates, limits, weights, levels } = this.#sharers;
    let weight = 0;
    let lowest = Number.POSITIVE_INFINITY;
    for (const flow of flows) {
      weight += weights[flow]!;
      lowest = Math.min(lowest, levels[flow]!);
    }
    let left = capacities[resource]!;
    let share = left / weight;
    if (lowest <= share) {
      for (const flow of flows) rates[flow] = OPEN;
      for (const flow of this.#ascending(flows)) {
        if (rates[flow] !== OPEN) continue;
        if (levels[flow]! > share) break;
        rates[flow] = limits[flow]!;
        left = Math.max(0, left - rates[flow]);
        weight -= weights[flow]!;
        share = Math.max(share, left / weight);
      }
      for (const flow of flows) if (rates[flow] === OPEN) rates[flow] = share * weights[flow]!;
    } else for (const flow of flows) rates[flow] = share * weights[flow]!;
  }

  /** Some flows by the level at which they reach their limit. Others may be among them: those have their rates already. */
  #ascending(flows: Int32Array): Int32Array | readonly number[] {
    const { levels, order } = this.#sharers;
    if (flows.length * Math.log2(flows.length + 1) > order.length) return order;
    return flows.toSorted((a, b) => levels[a]! - levels[b]!);
  }

  #levels(shared: readonly number[]): Level[] {
    const { capacities, flowsOn, weights } = this.#sharers;
    return shared.map((resource) => {
      const capacity = capacities[resource]!;
      const flows = flowsOn[resource]!;
      let weight = 0;
      for (const flow of flows) weight += weights[flow]!;
      this.#left[resource] = capacity;
      this.#open[resource] = flows.length;
      this.#openWeight[resource] = weight;
      return { share: capacity / weight, resource };
    });
  }

  /** The shared capacity that is used up next. */
  #lowest(heap: MinHeap<Level>): Level | undefined {
    for (let level = heap.peek(); level !== undefined; level = heap.peek()) {
      const open = this.#open[level.resource]!;
      const share =
        open === 0
          ? Number.POSITIVE_INFINITY
          : Math.max(0, this.#left[level.resource]!) / this.#openWeight[level.resource]!;
      if (open > 0 && share <= level.share) return level;
      heap.pop();
      if (open > 0) heap.push({ share, resource: level.resource });
    }
    return undefined;
  }

  #freeze(flow: number, rate: number): void {
    this.#sharers.rates[flow] = rate;
    for (const resource of this.#sharers.resources[flow]!) {
      this.#left[resource]! -= rate;
      this.#open[resource]!--;
      this.#openWeight[resource]! -= this.#sharers.weights[flow]!;
    }
  }
}
