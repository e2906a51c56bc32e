// Max-min fair rates by progressive filling: all flows' rates rise together; when a capacity is used up, the flows on it
// keep the rate they have and the others go on. Source: Bertsekas and Gallager, "Data Networks" (2nd ed.), 6.5.2.
// With weights a flow's rate rises by its weight; "share" and "level" below are rates for a weight of one.
// Filling stops at flows' limits, taken in order (levelOrder.ts), and at capacities, whose fair share never falls while
// others are frozen: a heap finds the next, stale entries put back. Which flows and capacities there are to fill is
// sharing.ts's business.

import type { FlowTerms } from "./bottleneck.ts";
import { MinHeap } from "./heap.ts";
import { LevelOrder, type Levels, NONE } from "./levelOrder.ts";
import type { NumberList } from "./numberList.ts";

/** Flows and what they take, by flow number; flows by capacity. */
export interface Sharers extends FlowTerms, Levels {
  readonly capacities: readonly number[];
  readonly resources: readonly (readonly number[])[];
  readonly flowsOn: readonly NumberList[];
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
  readonly #ascending: LevelOrder;
  /** How many flows have no rate yet. */
  #unfilled = 0;

  constructor(sharers: Sharers) {
    this.#sharers = sharers;
    this.#ascending = new LevelOrder(sharers);
  }

  /**
   * Sets the rates of flows that can be held back by these capacities, which no other flows take, and by nothing else.
   * @param all how many flows there are, these and others
   */
  fill(flows: NumberList, shared: NumberList, all: number): void {
    const first = shared.items[0]!;
    // Changes at several places may reach flows that have nothing to do with each other.
    if (shared.size === 1 && this.#sharers.flowsOn[first]!.size === flows.size)
      this.#fillOne(first, flows, all);
    else this.#fillMany(flows, shared, all);
  }

  #fillMany(flows: NumberList, shared: NumberList, all: number): void {
    const { capacities, rates, limits, levels, flowsOn } = this.#sharers;
    while (this.#left.length < capacities.length) {
      this.#left.push(0);
      this.#open.push(0);
      this.#openWeight.push(0);
    }
    const { items, size } = flows;
    if (shared.size === 0) {
      for (let i = 0; i < size; i++) rates[items[i]!] = limits[items[i]!]!;
      return;
    }
    for (let i = 0; i < size; i++) rates[items[i]!] = OPEN;
    const heap = new MinHeap<Level>((a, b) => a.share < b.share, this.#levels(shared));
    this.#unfilled = size;
    this.#ascending.start(flows, all);
    while (this.#unfilled > 0) {
      const flow = this.#ascending.next();
      while (rates[flow] === OPEN) {
        const level = this.#lowest(heap);
        if (level === undefined || levels[flow]! <= level.share) this.#freeze(flow, limits[flow]!);
        else this.#freezeAll(flowsOn[level.resource]!, level.share);
      }
    }
  }

  /** One capacity that all the flows share: what flows at their limits leave of it, the others share. */
  #fillOne(resource: number, flows: NumberList, all: number): void {
    const { capacities, rates, limits, weights, levels } = this.#sharers;
    const { items, size } = flows;
    let weight = 0;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < size; i++) {
      const flow = items[i]!;
      weight += weights[flow]!;
      lowest = Math.min(lowest, levels[flow]!);
    }
    let left = capacities[resource]!;
    let share = left / weight;
    if (lowest <= share) {
      for (let i = 0; i < size; i++) rates[items[i]!] = OPEN;
      this.#ascending.start(flows, all);
      for (let flow = this.#ascending.next(); flow !== NONE; flow = this.#ascending.next()) {
        if (levels[flow]! > share) break;
        const limit = limits[flow]!;
        rates[flow] = limit;
        left = Math.max(0, left - limit);
        weight -= weights[flow]!;
        share = Math.max(share, left / weight);
      }
      for (let i = 0; i < size; i++)
        if (rates[items[i]!] === OPEN) rates[items[i]!] = share * weights[items[i]!]!;
    } else for (let i = 0; i < size; i++) rates[items[i]!] = share * weights[items[i]!]!;
  }

  #levels(shared: NumberList): Level[] {
    const { capacities, flowsOn, weights } = this.#sharers;
    const found: Level[] = [];
    for (let k = 0; k < shared.size; k++) {
      const resource = shared.items[k]!;
      const capacity = capacities[resource]!;
      const { items, size } = flowsOn[resource]!;
      let weight = 0;
      for (let i = 0; i < size; i++) weight += weights[items[i]!]!;
      this.#left[resource] = capacity;
      this.#open[resource] = size;
      this.#openWeight[resource] = weight;
      found.push({ share: capacity / weight, resource });
    }
    return found;
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

  /** Gives those of some flows that have no rate yet the share. */
  #freezeAll({ items, size }: NumberList, share: number): void {
    const { rates, weights } = this.#sharers;
    for (let i = 0; i < size; i++) {
      const flow = items[i]!;
      if (rates[flow] === OPEN) this.#freeze(flow, share * weights[flow]!);
    }
  }

  #freeze(flow: number, rate: number): void {
    const { rates, resources, weights } = this.#sharers;
    const weight = weights[flow]!;
    const taken = resources[flow]!;
    rates[flow] = rate;
    this.#unfilled--;
    for (let k = 0; k < taken.length; k++) {
      const resource = taken[k]!;
      this.#left[resource]! -= rate;
      this.#open[resource]!--;
      this.#openWeight[resource]! -= weight;
    }
  }
}
