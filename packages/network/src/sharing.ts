// Max-min fair rates by progressive filling: all flows' rates rise together; when a capacity is used up, the flows on it
// keep the rate they have and the others go on. Source: Bertsekas and Gallager, "Data Networks" (2nd ed.), 6.5.2.
// A capacity that one flow has to itself only limits that flow, so filling stops at flows' limits, kept in order, and at
// shared capacities, whose fair share never falls while others are frozen: a heap finds the next, stale entries put back.

import { MinHeap } from "./heap.ts";

export interface SharingFlow {
  /** Numbers of the capacities that the flow takes, each once. */
  readonly resources: Int32Array;
  /** The least of those capacities and of the flow's own highest rate, in bytes per second. */
  readonly limit: number;
  /** Result, in bytes per second. */
  rate: number;
}

/** A shared capacity and what was its fair share when last looked at. */
interface Level {
  share: number;
  readonly resource: number;
}

const OPEN = -1;

/** Shares capacities among flows that come and go. */
export class FairSharing<F extends SharingFlow> {
  readonly #capacities: readonly number[];
  /** By limit, ascending. */
  readonly #flows: F[] = [];
  readonly #flowsOn: F[][] = [];
  /** Capacities that several flows take. */
  readonly #shared = new Set<number>();
  /** While filling: what is left of a capacity, and how many flows on it are open. */
  readonly #left: number[] = [];
  readonly #open: number[] = [];

  /** @param capacities bytes per second by number; may grow */
  constructor(capacities: readonly number[]) {
    this.#capacities = capacities;
  }

  get flows(): readonly F[] {
    return this.#flows;
  }

  add(flow: F): void {
    this.#flows.splice(this.#position(flow.limit), 0, flow);
    for (const resource of flow.resources) {
      this.#flowsOn[resource] ??= [];
      if (this.#flowsOn[resource].push(flow) === 2) this.#shared.add(resource);
    }
  }

  remove(flow: F): void {
    this.#flows.splice(this.#flows.indexOf(flow, this.#position(flow.limit)), 1);
    for (const resource of flow.resources) {
      const flows = this.#flowsOn[resource]!;
      flows[flows.indexOf(flow)] = flows.at(-1)!;
      flows.pop();
      if (flows.length === 1) this.#shared.delete(resource);
    }
  }

  /** Sets every flow's `rate`. */
  allocate(): void {
    for (const flow of this.#flows) flow.rate = OPEN;
    const heap = new MinHeap<Level>((a, b) => a.share < b.share, this.#levels());
    for (const flow of this.#flows) {
      while (flow.rate === OPEN) {
        const level = this.#lowest(heap);
        if (level === undefined || flow.limit <= level.share) this.#freeze(flow, flow.limit);
        else
          for (const open of this.#flowsOn[level.resource]!)
            if (open.rate === OPEN) this.#freeze(open, level.share);
      }
    }
  }

  /** The first place whose flow's limit is not below `limit`. */
  #position(limit: number): number {
    let low = 0;
    let high = this.#flows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#flows[middle]!.limit < limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #levels(): Level[] {
    return Array.from(this.#shared, (resource) => {
      this.#left[resource] = this.#capacities[resource]!;
      this.#open[resource] = this.#flowsOn[resource]!.length;
      return { share: this.#left[resource] / this.#open[resource], resource };
    });
  }

  /** The shared capacity that is used up next. */
  #lowest(heap: MinHeap<Level>): Level | undefined {
    for (let level = heap.peek(); level !== undefined; level = heap.peek()) {
      const open = this.#open[level.resource]!;
      const share = open === 0 ? Number.POSITIVE_INFINITY : Math.max(0, this.#left[level.resource]!) / open;
      if (open > 0 && share <= level.share) return level;
      heap.pop();
      if (open > 0) heap.push({ share, resource: level.resource });
    }
    return undefined;
  }

  #freeze(flow: F, rate: number): void {
    flow.rate = rate;
    for (const resource of flow.resources) {
      this.#left[resource]! -= rate;
      this.#open[resource]!--;
    }
  }
}
