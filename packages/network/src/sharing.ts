// Max-min fair rates by progressive filling: all flows' rates rise together; when a capacity is used up, the flows on it
// keep the rate they have and the others go on. Source: Bertsekas and Gallager, "Data Networks" (2nd ed.), 6.5.2.
// With weights a flow's rate rises by its weight; "share" and "level" below are rates for a weight of one.
// A capacity that one flow has to itself only limits that flow, so filling stops at flows' limits, kept in order, and at
// shared capacities, whose fair share never falls while others are frozen: a heap finds the next, stale entries put back.
// Flows are numbers, their rates one array: an allocation touches every flow, and there is one at each event.

import { MinHeap } from "./heap.ts";

/** A shared capacity and what was its fair share when last looked at. */
interface Level {
  share: number;
  readonly resource: number;
}

const OPEN = -1;

/** Shares capacities among flows that come and go. */
export class FairSharing {
  readonly #capacities: readonly number[];
  /** Flows by the level at which they reach their limit, ascending. */
  readonly #order: number[] = [];
  readonly #unused: number[] = [];
  readonly #limits: number[] = [];
  readonly #weights: number[] = [];
  /** Limit / weight. */
  readonly #levelLimits: number[] = [];
  readonly #resources: Int32Array[] = [];
  #rates = new Float64Array(16);
  readonly #flowsOn: number[][] = [];
  /** Capacities that several flows take. */
  readonly #shared = new Set<number>();
  /** While filling: what is left of a capacity, how many flows on it are open, and their weight. */
  #left = new Float64Array(0);
  #open = new Int32Array(0);
  #openWeight = new Float64Array(0);

  /** @param capacities bytes per second by number; may grow */
  constructor(capacities: readonly number[]) {
    this.#capacities = capacities;
  }

  /** The flows there are, by number. */
  get flows(): readonly number[] {
    return this.#order;
  }

  /** Rates by flow number, in bytes per second, as of the last allocation. */
  get rates(): Float64Array {
    return this.#rates;
  }

  /**
   * @param resources numbers of the capacities that the flow takes, each once
   * @param limit the least of them and of the flow's own highest rate, in bytes per second
   * @returns the flow's number; that of a flow which was removed is given again
   */
  add(resources: Int32Array, limit: number, weight = 1): number {
    const flow = this.#unused.pop() ?? this.#order.length;
    this.#limits[flow] = limit;
    this.#weights[flow] = weight;
    this.#levelLimits[flow] = limit / weight;
    this.#resources[flow] = resources;
    if (flow >= this.#rates.length) {
      const rates = new Float64Array(2 * this.#rates.length);
      rates.set(this.#rates);
      this.#rates = rates;
    }
    this.#order.splice(this.#position(limit / weight), 0, flow);
    while (this.#flowsOn.length < this.#capacities.length) this.#flowsOn.push([]);
    for (const resource of resources)
      if (this.#flowsOn[resource]!.push(flow) === 2) this.#shared.add(resource);
    return flow;
  }

  remove(flow: number): void {
    this.#order.splice(this.#order.indexOf(flow, this.#position(this.#levelLimits[flow]!)), 1);
    this.#unused.push(flow);
    for (const resource of this.#resources[flow]!) {
      const flows = this.#flowsOn[resource]!;
      flows[flows.indexOf(flow)] = flows.at(-1)!;
      flows.pop();
      if (flows.length === 1) this.#shared.delete(resource);
    }
  }

  /** Sets every flow's rate. */
  allocate(): void {
    const rates = this.#rates;
    for (const flow of this.#order) rates[flow] = OPEN;
    const heap = new MinHeap<Level>((a, b) => a.share < b.share, this.#levels());
    for (const flow of this.#order) {
      while (rates[flow] === OPEN) {
        const level = this.#lowest(heap);
        if (level === undefined || this.#levelLimits[flow]! <= level.share)
          this.#freeze(flow, this.#limits[flow]!);
        else
          for (const open of this.#flowsOn[level.resource]!)
            if (rates[open] === OPEN) this.#freeze(open, level.share * this.#weights[open]!);
      }
    }
  }

  /** The first place whose flow reaches its limit at no lower a level. */
  #position(level: number): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#levelLimits[this.#order[middle]!]! < level) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #levels(): Level[] {
    if (this.#left.length < this.#capacities.length) {
      this.#left = new Float64Array(2 * this.#capacities.length);
      this.#open = new Int32Array(2 * this.#capacities.length);
      this.#openWeight = new Float64Array(2 * this.#capacities.length);
    }
    return Array.from(this.#shared, (resource) => {
      const capacity = this.#capacities[resource]!;
      const flows = this.#flowsOn[resource]!;
      let weight = 0;
      for (const flow of flows) weight += this.#weights[flow]!;
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
    this.#rates[flow] = rate;
    for (const resource of this.#resources[flow]!) {
      this.#left[resource]! -= rate;
      this.#open[resource]!--;
      this.#openWeight[resource]! -= this.#weights[flow]!;
    }
  }
}
