// Max-min fair rates by progressive filling: all flows' rates rise together; when a capacity is used up, the flows on it
// keep the rate they have and the others go on. Source: Bertsekas and Gallager, "Data Networks" (2nd ed.), 6.5.2.
// A capacity's fair share never falls while others are frozen, so a heap whose stale entries are put back finds the next one.

import { MinHeap } from "./heap.ts";

export interface SharingFlow {
  /** Numbers of the capacities that the flow takes, each once. */
  readonly resources: Int32Array;
  /** The flow's own highest rate, in bytes per second. */
  readonly bound: number;
  /** Result, in bytes per second. */
  rate: number;
}

interface Level {
  share: number;
  /** Either a capacity's number or a flow that may reach its own bound. */
  readonly at: number | SharingFlow;
}

const lower = (a: Level, b: Level): boolean => a.share < b.share;

/** Shares capacities among flows; keeps its work arrays, so that one instance serves many allocations. */
export class FairSharing {
  readonly #capacities: readonly number[];
  readonly #left: number[] = [];
  readonly #open: number[] = [];
  readonly #flowsOn: SharingFlow[][] = [];

  /** @param capacities bytes per second by number; may grow */
  constructor(capacities: readonly number[]) {
    this.#capacities = capacities;
  }

  /** Sets every flow's `rate`. */
  allocate(flows: readonly SharingFlow[]): void {
    const heap = new MinHeap(lower, this.#collect(flows));
    for (let level = heap.pop(); level !== undefined; level = heap.pop()) {
      if (typeof level.at !== "number") {
        if (level.at.rate < 0) this.#freeze(level.at, level.share);
        continue;
      }
      const open = this.#open[level.at]!;
      if (open === 0) continue;
      const share = Math.max(0, this.#left[level.at]!) / open;
      if (share > level.share) {
        level.share = share;
        heap.push(level);
        continue;
      }
      for (const flow of this.#flowsOn[level.at]!) if (flow.rate < 0) this.#freeze(flow, level.share);
    }
  }

  /** Opens all flows and lists the levels at which filling may stop. */
  #collect(flows: readonly SharingFlow[]): Level[] {
    const used: number[] = [];
    const levels: Level[] = [];
    for (const flow of flows) {
      flow.rate = -1;
      let capacity = Number.POSITIVE_INFINITY;
      for (const resource of flow.resources) {
        if (!this.#open[resource]) {
          this.#open[resource] = 0;
          this.#left[resource] = this.#capacities[resource]!;
          this.#flowsOn[resource] = [];
          used.push(resource);
        }
        this.#open[resource]!++;
        this.#flowsOn[resource]!.push(flow);
        capacity = Math.min(capacity, this.#capacities[resource]!);
      }
      if (flow.bound < capacity) levels.push({ share: flow.bound, at: flow });
    }
    for (const resource of used)
      levels.push({ share: this.#capacities[resource]! / this.#open[resource]!, at: resource });
    return levels;
  }

  #freeze(flow: SharingFlow, rate: number): void {
    flow.rate = rate;
    for (const resource of flow.resources) {
      this.#left[resource]! -= rate;
      this.#open[resource]!--;
    }
  }
}
