// A fluid simulation of transfers that share capacities: between two events every flow moves at its max-min fair rate.
// An event is the end of a flow's delay (it pays latency before it takes bandwidth) or the arrival of its last byte.
// Packets, queues and the ramp-up of congestion windows are below this model's resolution.

import { MinHeap } from "./heap.ts";
import { FairSharing, type SharingFlow } from "./sharing.ts";

export interface FlowOptions {
  readonly resources: Int32Array;
  /** The rate of the flow where it has its path to itself, in bytes per second. */
  readonly limit: number;
  /** Bytes. */
  readonly size: number;
  /** When it begins to take bandwidth, in seconds; not before the present. */
  readonly begin: number;
}

/** A flow under way; the caller recognises it by identity. */
export interface Flow {
  readonly size: number;
}

interface LiveFlow extends Flow, SharingFlow {
  readonly begin: number;
  left: number;
  /** When the last byte arrives, at the present rate. */
  end: number;
}

/** Flows that arrive within this relative distance arrive together: rounding must not split what is one event. */
const SAME_MOMENT = 1e-12;

export class FlowSimulation {
  readonly #sharing: FairSharing<LiveFlow>;
  readonly #waiting = new MinHeap<LiveFlow>((a, b) => a.begin < b.begin);
  #earliestEnd = Number.POSITIVE_INFINITY;
  #now = 0;

  /** @param capacities bytes per second by resource number; may grow */
  constructor(capacities: readonly number[]) {
    this.#sharing = new FairSharing(capacities);
  }

  start({ resources, limit, size, begin }: FlowOptions): Flow {
    const flow = { resources, limit, size, begin, left: size, rate: 0, end: Number.POSITIVE_INFINITY };
    this.#waiting.push(flow);
    return flow;
  }

  /** Goes to the next moment at which flows arrive; undefined when none is left. */
  next(): { readonly time: number; readonly arrived: readonly Flow[] } | undefined {
    for (;;) {
      const time = Math.min(this.#earliestEnd, this.#waiting.peek()?.begin ?? Number.POSITIVE_INFINITY);
      if (time === Number.POSITIVE_INFINITY) return undefined;
      const arrived = this.#advance(time);
      if (arrived.length > 0) return { time, arrived };
    }
  }

  #advance(time: number): readonly Flow[] {
    const limit = time + Math.abs(time) * SAME_MOMENT;
    const elapsed = time - this.#now;
    this.#now = time;
    const arrived: LiveFlow[] = [];
    for (const flow of this.#sharing.flows) {
      flow.left -= flow.rate * elapsed;
      if (flow.end <= limit) arrived.push(flow);
    }
    for (const flow of arrived) this.#sharing.remove(flow);
    for (
      let flow = this.#waiting.peek();
      flow !== undefined && flow.begin <= limit;
      flow = this.#waiting.peek()
    ) {
      this.#waiting.pop();
      if (flow.size === 0) arrived.push(flow);
      else this.#sharing.add(flow);
    }
    this.#sharing.allocate();
    this.#earliestEnd = Number.POSITIVE_INFINITY;
    for (const flow of this.#sharing.flows) {
      flow.end = time + Math.max(0, flow.left) / flow.rate;
      this.#earliestEnd = Math.min(this.#earliestEnd, flow.end);
    }
    return arrived;
  }
}
