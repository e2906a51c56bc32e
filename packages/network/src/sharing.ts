// Max-min fair rates by progressive filling: all flows' rates rise together; when a capacity is used up, the flows on it
// keep the rate they have and the others go on. Source: Bertsekas and Gallager, "Data Networks" (2nd ed.), 6.5.2.
// With weights a flow's rate rises by its weight; "share" and "level" below are rates for a weight of one.
// A capacity that one flow has to itself only limits that flow, so filling stops at flows' limits, kept in order, and at
// shared capacities, whose fair share never falls while others are frozen: a heap finds the next, stale entries put back.
// Rates depend on each other only along shared capacities. So an allocation goes from the capacities whose flows changed to
// the flows on them, to the other shared capacities of these flows, and so on: the flows it does not come to keep their
// rates. Flows are numbers, their rates one array.

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
  /** Capacities whose flows are not those of the last allocation; some more than once. */
  readonly #changed: number[] = [];
  /** How many capacities several flows take. */
  #sharedCount = 0;
  /** What the changes reach: flows, and the capacities that several of them take. */
  #reached = new Int32Array(16);
  #reachedCount = 0;
  readonly #shared: number[] = [];
  /** The allocation that last came to a flow, and to a capacity. */
  #flowSeen = new Int32Array(16);
  #resourceSeen = new Int32Array(0);
  #allocations = 0;
  /** While filling: what is left of a capacity, how many flows on it are open, and their weight. */
  #left = new Float64Array(0);
  #open = new Int32Array(0);
  #openWeight = new Float64Array(0);

  /**
   * @param capacities bytes per second by number; may grow. One that changes is looked at when a flow on it is added or
   * removed next.
   */
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
      this.#rates = grown(Float64Array, this.#rates);
      this.#flowSeen = grown(Int32Array, this.#flowSeen);
      this.#reached = grown(Int32Array, this.#reached);
    }
    this.#order.splice(this.#position(limit / weight), 0, flow);
    while (this.#flowsOn.length < this.#capacities.length) this.#flowsOn.push([]);
    for (const resource of resources) {
      if (this.#flowsOn[resource]!.push(flow) === 2) this.#sharedCount++;
      this.#changed.push(resource);
    }
    return flow;
  }

  remove(flow: number): void {
    this.#order.splice(this.#order.indexOf(flow, this.#position(this.#levelLimits[flow]!)), 1);
    this.#unused.push(flow);
    for (const resource of this.#resources[flow]!) {
      const flows = this.#flowsOn[resource]!;
      flows[flows.indexOf(flow)] = flows.at(-1)!;
      flows.pop();
      if (flows.length === 1) this.#sharedCount--;
      this.#changed.push(resource);
    }
  }

  /**
   * Sets the rates of all flows that the changes since the last allocation can have reached.
   * @returns these flows; valid until the next allocation
   */
  allocate(): Int32Array {
    this.#reach();
    const flows = this.#reached.subarray(0, this.#reachedCount);
    const [first] = this.#shared;
    // Changes at several places may reach flows that have nothing to do with each other.
    if (this.#shared.length === 1 && this.#flowsOn[first!]!.length === flows.length)
      this.#fillOne(first!, flows);
    else this.#fill(flows);
    return flows;
  }

  /** Several shared capacities, or none. */
  #fill(flows: Int32Array): void {
    const rates = this.#rates;
    for (const flow of flows) rates[flow] = OPEN;
    const heap = new MinHeap<Level>((a, b) => a.share < b.share, this.#levels());
    for (const flow of this.#ascending(flows)) {
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

  /**
   * One capacity that all the flows reached share, as those into or out of one node do: what flows at their limits leave of
   * it, the others share.
   */
  #fillOne(resource: number, flows: Int32Array): void {
    const rates = this.#rates;
    const weights = this.#weights;
    let weight = 0;
    let lowest = Number.POSITIVE_INFINITY;
    for (const flow of flows) {
      weight += weights[flow]!;
      lowest = Math.min(lowest, this.#levelLimits[flow]!);
    }
    let left = this.#capacities[resource]!;
    let share = left / weight;
    if (lowest <= share) {
      for (const flow of flows) rates[flow] = OPEN;
      for (const flow of this.#ascending(flows)) {
        if (rates[flow] !== OPEN) continue;
        if (this.#levelLimits[flow]! > share) break;
        rates[flow] = this.#limits[flow]!;
        left = Math.max(0, left - rates[flow]);
        weight -= weights[flow]!;
        share = Math.max(share, left / weight);
      }
      for (const flow of flows) if (rates[flow] === OPEN) rates[flow] = share * weights[flow]!;
    } else for (const flow of flows) rates[flow] = share * weights[flow]!;
  }

  /** Finds the flows that the changes can reach, and the capacities that these share. */
  #reach(): void {
    if (this.#resourceSeen.length < this.#capacities.length) {
      const length = 2 * this.#capacities.length;
      this.#resourceSeen = new Int32Array(length);
      this.#left = new Float64Array(length);
      this.#open = new Int32Array(length);
      this.#openWeight = new Float64Array(length);
    }
    this.#allocations++;
    this.#reachedCount = 0;
    this.#shared.length = 0;
    for (const resource of this.#changed) this.#visit(resource);
    this.#changed.length = 0;
    // The list grows while it is read: each flow in it leads to the flows that it shares a capacity with. Once there is no
    // other shared capacity, no flow leads further.
    for (let i = 0; i < this.#reachedCount && this.#shared.length < this.#sharedCount; i++) {
      const resources = this.#resources[this.#reached[i]!]!;
      for (let k = 0; k < resources.length; k++) this.#visit(resources[k]!);
    }
  }

  #visit(resource: number): void {
    const now = this.#allocations;
    if (this.#resourceSeen[resource] === now) return;
    this.#resourceSeen[resource] = now;
    const takers = this.#flowsOn[resource]!;
    if (takers.length > 1) this.#shared.push(resource);
    const seen = this.#flowSeen;
    const reached = this.#reached;
    for (let i = 0; i < takers.length; i++) {
      const flow = takers[i]!;
      if (seen[flow] === now) continue;
      seen[flow] = now;
      reached[this.#reachedCount++] = flow;
    }
  }

  /** Some flows by the level at which they reach their limit. Others may be among them: those have their rates already. */
  #ascending(flows: Int32Array): Int32Array | readonly number[] {
    if (flows.length * Math.log2(flows.length + 1) > this.#order.length) return this.#order;
    return flows.toSorted((a, b) => this.#levelLimits[a]! - this.#levelLimits[b]!);
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
    return this.#shared.map((resource) => {
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

/** A copy of twice the length. */
function grown<A extends Float64Array | Int32Array>(type: new (length: number) => A, values: A): A {
  const longer = new type(2 * values.length);
  longer.set(values);
  return longer;
}
