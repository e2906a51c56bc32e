// A fluid simulation of transfers that share capacities: between two events every flow moves at its max-min fair rate.
// An event is the end of a flow's delay (it pays latency before it takes bandwidth) or the arrival of its last byte.
// A flow whose rate an event does not change is not touched by it: its bytes are counted when its rate changes.
// Packets, queues and the ramp-up of congestion windows are below this model's resolution.

import { MinHeap, NumberHeap } from "./heap.ts";
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
  /** By the number that the sharing gives a flow: the flow, the bytes that were left at a moment, and its rate since. */
  readonly #flows: F[] = [];
  readonly #left: number[] = [];
  readonly #since: number[] = [];
  readonly #rates: number[] = [];
  /** When each flow ends at its rate. */
  readonly #ends = new NumberHeap();

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
      const time = Math.min(this.#ends.least, this.#waiting.peek()?.begin ?? Number.POSITIVE_INFINITY);
      if (time === Number.POSITIVE_INFINITY) return undefined;
      const arrived = this.#advance(time);
      if (arrived.length > 0) return { time, arrived };
    }
  }

  #advance(time: number): readonly F[] {
    const limit = time + Math.abs(time) * SAME_MOMENT;
    const arrived: F[] = [];
    while (this.#ends.least <= limit) {
      const number = this.#ends.pop();
      arrived.push(this.#flows[number]!);
      this.#sharing.remove(number);
    }
    for (
      let flow = this.#waiting.peek();
      flow !== undefined && flow.begin <= limit;
      flow = this.#waiting.peek()
    ) {
      this.#waiting.pop();
      if (flow.size === 0) arrived.push(flow);
      else this.#add(flow, time);
    }
    this.#setRates(time);
    return arrived;
  }

  #setRates(time: number): void {
    const changed = this.#sharing.allocate();
    const now = this.#sharing.rates;
    const rates = this.#rates;
    const left = this.#left;
    const since = this.#since;
    for (const number of changed) {
      const rate = now[number]!;
      const before = rates[number]!;
      if (rate === before) continue;
      const bytes = Math.max(0, left[number]! - before * (time - since[number]!));
      left[number] = bytes;
      since[number] = time;
      rates[number] = rate;
      this.#ends.set(number, time + bytes / rate);
    }
  }

  #add(flow: F, time: number): void {
    const number = this.#sharing.add(flow.resources, flow.limit, flow.weight);
    this.#flows[number] = flow;
    this.#left[number] = flow.size;
    this.#since[number] = time;
    this.#rates[number] = 0;
  }
}
