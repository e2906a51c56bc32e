// What is left of flows that share capacities, and which ends next: rates of sharing.ts, integrated over time.
// A flow's bytes are counted when its own rate changes. Flows at a bottleneck's share are not touched when it changes: the
// bottleneck keeps count of its service, the bytes that a weight of one has been given (the integral of its share), and a
// flow ends when that has grown by the flow's bytes over its weight. This is the virtual time of weighted fair queueing:
// Parekh and Gallager, "A Generalized Processor Sharing Approach to Flow Control", IEEE/ACM ToN 1 (1993), section III.

import { NumberHeap, type NumberKeys, numberKeys } from "./heap.ts";
import { NONE } from "./levelOrder.ts";
import { FairSharing } from "./sharing.ts";

/** Flows that end within this relative distance end together: rounding must not split what is one event. */
export const SAME_MOMENT = 1e-12;

/** The service of a bottleneck at a moment, and its growth since. */
class Service {
  /** Flows by the service at which they end. */
  readonly ends: NumberHeap;
  /** Bytes per second for a weight of one. */
  share = 0;
  #given = 0;
  #since = 0;

  constructor(keys: NumberKeys) {
    this.ends = new NumberHeap(keys);
  }

  at(time: number): number {
    // From an empty start on, small numbers keep more of their digits.
    return this.ends.first === undefined ? 0 : this.#given + this.share * (time - this.#since);
  }

  change(time: number, share: number): void {
    this.#given = this.at(time);
    this.#since = time;
    // Where no flow moves at the share, it has no bound.
    this.share = share < Number.POSITIVE_INFINITY ? share : 0;
  }

  /** When the next flow ends if the share stays. */
  get nextEnd(): number {
    if (this.ends.first === undefined || this.share === 0) return Number.POSITIVE_INFINITY;
    return this.#since + Math.max(0, this.ends.least - this.#given) / this.share;
  }
}

/** Times are in seconds and never go back. */
export class FlowProgress {
  readonly #sharing: FairSharing;
  /** By flow that moves at a rate of its own: the bytes that were left at a moment, and its rate since. */
  readonly #left: number[] = [];
  readonly #since: number[] = [];
  readonly #rates: number[] = [];
  /** When each of those ends. */
  readonly #ends = new NumberHeap();
  /** By flow: the bottleneck at whose share it moves, or NONE. */
  readonly #servedBy: number[] = [];
  readonly #services: (Service | undefined)[] = [];
  readonly #serviceKeys = numberKeys();
  /** When the next flow of each bottleneck ends. */
  readonly #serviceEnds = new NumberHeap();

  /**
   * @param capacities bytes per second by resource number; may grow
   * @param bottleneckFrom see FairSharing
   */
  constructor(capacities: readonly number[], bottleneckFrom?: number) {
    this.#sharing = new FairSharing(capacities, bottleneckFrom);
  }

  /** How many flows there are. */
  get size(): number {
    return this.#sharing.size;
  }

  /** When the next flow ends; Infinity if none does. */
  get nextEnd(): number {
    return Math.min(this.#ends.least, this.#serviceEnds.least);
  }

  /** @returns the flow's number; that of a flow which is over is given again. See FairSharing.add for the rest */
  add(bytes: number, time: number, resources: readonly number[], limit: number, weight: number): number {
    const flow = this.#sharing.add(resources, limit, weight);
    this.#left[flow] = bytes;
    this.#since[flow] = time;
    this.#rates[flow] = 0;
    this.#servedBy[flow] = NONE;
    return flow;
  }

  /** Takes out the flow that ends next; there has to be one that does. */
  end(): number {
    const resource = this.#serviceEnds.least < this.#ends.least ? this.#serviceEnds.first! : NONE;
    const flow = resource === NONE ? this.#ends.first! : this.#services[resource]!.ends.first!;
    this.#remove(flow);
    return flow;
  }

  /** Takes a flow out before its end. @returns the bytes that are left of it */
  takeOut(flow: number, time: number): number {
    const left = this.#leftAt(flow, time);
    this.#remove(flow);
    return left;
  }

  /** Forgets, when there are no flows, in which order bottlenecks were used: it decides which of equal ends comes first. */
  rest(): void {
    this.#serviceEnds.clear();
  }

  /** Gives flows the rates that follow from what has come and gone. */
  update(time: number): void {
    const { flows, bottlenecks } = this.#sharing.allocate();
    for (let i = 0; i < flows.size; i++) this.#change(flows.items[i]!, time);
    for (let i = 0; i < bottlenecks.size; i++) {
      const resource = bottlenecks.items[i]!;
      const service = this.#service(resource);
      service.change(time, this.#sharing.share(resource));
      this.#serviceEnds.set(resource, service.nextEnd);
    }
  }

  #change(flow: number, time: number): void {
    const servedBy = this.#sharing.bottleneckOf(flow);
    const before = this.#servedBy[flow]!;
    const rate = servedBy === NONE ? this.#sharing.rate(flow) : 0;
    if (servedBy === before && rate === this.#rates[flow]) return;
    const left = this.#leftAt(flow, time);
    this.#leave(flow);
    this.#servedBy[flow] = servedBy;
    this.#left[flow] = left;
    this.#since[flow] = time;
    this.#rates[flow] = rate;
    if (servedBy === NONE) this.#ends.set(flow, time + left / rate);
    else {
      const service = this.#service(servedBy);
      if (service.ends.first === undefined) service.change(time, service.share);
      service.ends.set(flow, service.at(time) + left / this.#sharing.weight(flow));
    }
  }

  #leftAt(flow: number, time: number): number {
    const servedBy = this.#servedBy[flow]!;
    if (servedBy === NONE)
      return Math.max(0, this.#left[flow]! - this.#rates[flow]! * (time - this.#since[flow]!));
    const service = this.#services[servedBy]!;
    return Math.max(0, this.#serviceKeys.keys[flow]! - service.at(time)) * this.#sharing.weight(flow);
  }

  #remove(flow: number): void {
    this.#leave(flow);
    this.#sharing.remove(flow);
  }

  /** Takes a flow off the queue that it is in. */
  #leave(flow: number): void {
    const servedBy = this.#servedBy[flow]!;
    if (servedBy === NONE) {
      this.#ends.remove(flow);
      return;
    }
    const service = this.#services[servedBy]!;
    service.ends.remove(flow);
    this.#serviceEnds.set(servedBy, service.nextEnd);
  }

  #service(resource: number): Service {
    let service = this.#services[resource];
    if (service === undefined) {
      service = new Service(this.#serviceKeys);
      this.#services[resource] = service;
    }
    return service;
  }
}
