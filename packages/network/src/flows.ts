// A fluid simulation of transfers that share capacities: between two events every flow moves at its max-min fair rate.
// An event is the end of a flow's delay (it pays latency before it takes bandwidth) or the arrival of its last byte.
// Packets, queues and the ramp-up of congestion windows are below this model's resolution.

import { MinHeap } from "./heap.ts";
import { FlowProgress, SAME_MOMENT } from "./progress.ts";

export interface Flow {
  /** Numbers of the capacities that the flow takes, each once. */
  readonly resources: readonly number[];
  /** The rate of the flow where it has its path to itself, in bytes per second. */
  readonly limit: number;
  /** Its part of a shared capacity is in proportion to this. */
  readonly weight: number;
  /** Bytes. */
  readonly size: number;
  /** When it begins to take bandwidth, in seconds; not before the present. */
  readonly begin: number;
}

/** `F` is what the caller knows its flows by. */
export class FlowSimulation<F extends Flow> {
  readonly #progress: FlowProgress;
  readonly #waiting = new MinHeap<F>((a, b) => a.begin < b.begin);
  /** By their numbers. */
  readonly #flows: F[] = [];
  readonly #arrived: F[] = [];

  /**
   * @param capacities bytes per second by resource number; may grow
   * @param bottleneckFrom see FairSharing
   */
  constructor(capacities: readonly number[], bottleneckFrom?: number) {
    this.#progress = new FlowProgress(capacities, bottleneckFrom);
  }

  start(flow: F): void {
    this.#waiting.push(flow);
  }

  /**
   * Goes to the next moment at which flows arrive; undefined when none is left. Then others may be started, at any time, and
   * move to the bit as in a new simulation. The list is valid until the next call.
   */
  next(): { readonly time: number; readonly arrived: readonly F[] } | undefined {
    for (;;) {
      const begin = this.#waiting.peek()?.begin ?? Number.POSITIVE_INFINITY;
      const time = Math.min(this.#progress.nextEnd, begin);
      if (time === Number.POSITIVE_INFINITY) {
        this.#progress.rest();
        return undefined;
      }
      this.#advance(time);
      if (this.#arrived.length > 0) return { time, arrived: this.#arrived };
    }
  }

  #advance(time: number): void {
    const progress = this.#progress;
    const limit = time + Math.abs(time) * SAME_MOMENT;
    const arrived = this.#arrived;
    arrived.length = 0;
    while (progress.nextEnd <= limit) arrived.push(this.#flows[progress.end()]!);
    for (
      let flow = this.#waiting.peek();
      flow !== undefined && flow.begin <= limit;
      flow = this.#waiting.peek()
    ) {
      this.#waiting.pop();
      const { size, resources, limit: highest, weight } = flow;
      if (size === 0) arrived.push(flow);
      else this.#flows[progress.add(size, time, resources, highest, weight)] = flow;
    }
    progress.update(time);
  }
}
