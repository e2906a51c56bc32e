// A fluid simulation of transfers that share capacities: between two events every flow moves at its max-min fair rate.
// An event is the end of a flow's delay (it pays latency before it takes bandwidth) or the arrival of its last byte.
// Packets, queues and the ramp-up of congestion windows are below this model's resolution.

import { MinHeap } from "./heap.ts";
import { FairSharing } from "./sharing.ts";

export interface Flow {
  /** Numbers of the capacities that the flow takes, each once. */
  readonly resources: Int32Array;
  /** The rate of the flow where it has its path to itself, in bytes per second. */
  readonly limit: number;
  /** Its part of a shared capacity is in proportion to this. */
  readonly weight: number;
  /** Bytes. */
  readonly size: number;
  /** When it begins to take bandwidth, in seconds; not before the present. */
  readonly begin: number;
}

/** Flows that arrive within this relative distance arrive together: rounding must not split what is one event. */
const SAME_MOMENT = 1e-12;

/** `F` is what the caller knows its flows by. */
export class FlowSimulation<F extends Flow> {
  readonly #sharing: FairSharing;
  readonly #waiting = new MinHeap<F>((a, b) => a.begin < b.begin);
  /** By the number that the sharing gives a flow: the flow, its bytes left, and when it ends at the present rate. */
  readonly #flows: F[] = [];
  readonly #left: number[] = [];
  readonly #ends: number[] = [];
  #earliestEnd = Number.POSITIVE_INFINITY;
  #now = 0;

  /** @param capacities bytes per second by resource number; may grow */
  constructor(capacities: readonly number[]) {
    this.#sharing = new FairSharing(capacities);
  }

  start(flow: F): void {
    this.#waiting.push(flow);
  }

  /** Goes to the next moment at which flows arrive; undefined when none is left. */
  next(): { readonly time: number; readonly arrived: readonly F[] } | undefined {
    for (;;) {
      const time = Math.min(this.#earliestEnd, this.#waiting.peek()?.begin ?? Number.POSITIVE_INFINITY);
      if (time === Number.POSITIVE_INFINITY) return undefined;
      const arrived = this.#advance(time);
      if (arrived.length > 0) return { time, arrived };
    }
  }

  #advance(time: number): readonly F[] {
    const limit = time + Math.abs(time) * SAME_MOMENT;
    const arrived = this.#move(time - this.#now, limit);
    this.#now = time;
    for (
      let flow = this.#waiting.peek();
      flow !== undefined && flow.begin <= limit;
      flow = this.#waiting.peek()
    ) {
      this.#waiting.pop();
      if (flow.size === 0) arrived.push(flow);
      else this.#add(flow);
    }
    this.#sharing.allocate();
    const { flows, rates } = this.#sharing;
    let earliest = Number.POSITIVE_INFINITY;
    for (const number of flows) {
      const end = time + Math.max(0, this.#left[number]!) / rates[number]!;
      this.#ends[number] = end;
      if (end < earliest) earliest = end;
    }
    this.#earliestEnd = earliest;
    return arrived;
  }

  /** Moves all flows on for `elapsed` seconds and takes out those that end by `limit`. */
  #move(elapsed: number, limit: number): F[] {
    const { flows, rates } = this.#sharing;
    const ended: number[] = [];
    for (const number of flows) {
      this.#left[number]! -= rates[number]! * elapsed;
      if (this.#ends[number]! <= limit) ended.push(number);
    }
    for (const number of ended) this.#sharing.remove(number);
    return ended.map((number) => this.#flows[number]!);
  }

  #add(flow: F): void {
    const number = this.#sharing.add(flow.resources, flow.limit, flow.weight);
    this.#flows[number] = flow;
    this.#left[number] = flow.size;
    this.#ends[number] = Number.POSITIVE_INFINITY;
  }
}
