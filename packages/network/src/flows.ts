// A fluid simulation of transfers that share capacities: between two events every flow moves at its max-min fair rate.
// An event is the end of a flow's delay (it pays latency before it takes bandwidth) or the arrival of its last byte.
// Packets, queues and the ramp-up of congestion windows are below this model's resolution.

import { MinHeap } from "./heap.ts";
import { FairSharing, type SharingFlow } from "./sharing.ts";

export interface FlowOptions {
  readonly resources: Int32Array;
  readonly bound: number;
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
  readonly #sharing: FairSharing;
  readonly #waiting = new MinHeap<LiveFlow>((a, b) => a.begin < b.begin);
  #active: LiveFlow[] = [];
  #now = 0;

  /** @param capacities bytes per second by resource number; may grow */
  constructor(capacities: readonly number[]) {
    this.#sharing = new FairSharing(capacities);
  }

  start({ resources, bound, size, begin }: FlowOptions): Flow {
    const flow: LiveFlow = {
      resources,
      bound,
      size,
      begin,
      left: size,
      rate: 0,
      end: Number.POSITIVE_INFINITY,
    };
    this.#waiting.push(flow);
    return flow;
  }

  /** Goes to the next moment at which flows arrive; undefined when none is left. */
  next(): { readonly time: number; readonly arrived: readonly Flow[] } | undefined {
    for (;;) {
      const end = this.#active.reduce(
        (earliest, flow) => Math.min(earliest, flow.end),
        Number.POSITIVE_INFINITY,
      );
      const begin = this.#waiting.peek()?.begin ?? Number.POSITIVE_INFINITY;
      const time = Math.min(end, begin);
      if (time === Number.POSITIVE_INFINITY) return undefined;
      const arrived = this.#advance(time);
      if (arrived.length > 0) return { time, arrived };
    }
  }

  #advance(time: number): readonly Flow[] {
    const limit = time + Math.abs(time) * SAME_MOMENT;
    const elapsed = time - this.#now;
    const arrived: LiveFlow[] = [];
    const active: LiveFlow[] = [];
    for (const flow of this.#active) {
      flow.left -= flow.rate * elapsed;
      (flow.end <= limit ? arrived : active).push(flow);
    }
    for (
      let flow = this.#waiting.peek();
      flow !== undefined && flow.begin <= limit;
      flow = this.#waiting.peek()
    ) {
      this.#waiting.pop();
      (flow.size === 0 ? arrived : active).push(flow);
    }
    this.#now = time;
    this.#active = active;
    this.#sharing.allocate(active);
    for (const flow of active) flow.end = time + Math.max(0, flow.left) / flow.rate;
    return arrived;
  }
}
