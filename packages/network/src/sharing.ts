// Who shares what with whom: max-min fair rates of flows that come and go, worked out anew only where something changed.
// Rates depend on each other only along capacities that could be used up: those that flows would overdraw if each went at
// its limit ("tight" below). So an allocation goes from the flows that changed to the tight capacities on their way, to the
// other flows there, and so on: the flows it does not come to keep their rates. What it comes to is filled (filling.ts),
// except where many flows meet at one tight capacity and nowhere else, as those into or out of one node do: such a
// bottleneck is kept from one allocation to the next (bottleneck.ts), and of its flows only a few are looked at.
// A capacity all of whose flows go through a tighter one as well, as through the NICs at both ends of one link, is covered by
// that and joins nothing either. Flows are numbers. Time is unknown here: progress.ts makes rates into ends.

import { Bottleneck, type BottleneckKeys } from "./bottleneck.ts";
import { Filling } from "./filling.ts";
import { numberKeys } from "./heap.ts";

export const NONE = -1;

/** So many flows on a capacity are worth keeping it as a bottleneck; with fewer, filling is as quick. */
const BOTTLENECK_FROM = 8;

/** Sums of limits are kept over many events: what rounding may have done to them must not make a capacity seem ample. */
const ROUNDING = 1e-6;

const NO_RESOURCES = new Int32Array(0);

/** What an allocation may have changed; valid until the next one. */
export interface Allocated {
  /** Flows that have another rate, or are at another bottleneck's share than before; some more than once. */
  readonly flows: readonly number[];
  /** Capacities kept as bottlenecks, which have another share or other flows. */
  readonly bottlenecks: readonly number[];
}

/** Shares capacities among flows that come and go. */
export class FairSharing {
  readonly #capacities: readonly number[];
  readonly #bottleneckFrom: number;
  /** Flows by the level at which they reach their limit, ascending. */
  readonly #order: number[] = [];
  readonly #unused: number[] = [];
  readonly #limits: number[] = [];
  readonly #weights: number[] = [];
  readonly #levels: number[] = [];
  readonly #resources: Int32Array[] = [];
  readonly #rates: number[] = [];
  /** By flow: its place among the flows on each of its capacities. */
  readonly #places: Int32Array[] = [];
  /** How many of a flow's capacities are tight. */
  readonly #tightOn: number[] = [];
  /** The capacity that is kept as a bottleneck with the flow on it, or NONE. */
  readonly #keptOn: number[] = [];
  readonly #isPresent: boolean[] = [];
  readonly #flowsOn: number[][] = [];
  /** By capacity: the sum of its flows' limits, and how many of its flows have another tight capacity on their way. */
  readonly #demands: number[] = [];
  readonly #crossing: number[] = [];
  readonly #isTight: boolean[] = [];
  /** By capacity: another one, no larger, that all its flows take too, or NONE. One that is covered is not tight. */
  readonly #coveredBy: number[] = [];
  readonly #bottlenecks: (Bottleneck | undefined)[] = [];
  readonly #bottleneckKeys: BottleneckKeys = { limited: numberKeys(), open: numberKeys() };
  readonly #filling: Filling;
  /** Flows, and capacities, from which the next allocation sets out; some more than once. */
  readonly #changedFlows: number[] = [];
  readonly #changedResources: number[] = [];
  /** What an allocation comes to: flows to be filled and the capacities to fill, and bottlenecks. */
  #reached = new Int32Array(16);
  #reachedCount = 0;
  readonly #shared: number[] = [];
  readonly #kept: number[] = [];
  readonly #changed: number[] = [];
  /** The allocation that last came to a flow, and to a capacity. */
  readonly #flowSeen: number[] = [];
  readonly #resourceSeen: number[] = [];
  #allocations = 0;

  /**
   * @param capacities bytes per second by number; may grow. One that changes is looked at when a flow on it is added or
   * removed next.
   */
  constructor(capacities: readonly number[], bottleneckFrom: number = BOTTLENECK_FROM) {
    this.#capacities = capacities;
    this.#bottleneckFrom = bottleneckFrom;
    this.#filling = new Filling({
      capacities,
      limits: this.#limits,
      weights: this.#weights,
      levels: this.#levels,
      resources: this.#resources,
      flowsOn: this.#flowsOn,
      order: this.#order,
      rates: this.#rates,
    });
  }

  /** How many flows there are. */
  get size(): number {
    return this.#order.length;
  }

  weight(flow: number): number {
    return this.#weights[flow]!;
  }

  /** Bytes per second, as of the last allocation. */
  rate(flow: number): number {
    const resource = this.bottleneckOf(flow);
    return resource === NONE ? this.#rates[flow]! : this.share(resource) * this.#weights[flow]!;
  }

  /** The bottleneck whose share a flow moves at, or NONE if its rate is its own or was filled. */
  bottleneckOf(flow: number): number {
    const resource = this.#keptOn[flow]!;
    return resource !== NONE && this.#bottlenecks[resource]!.isOpen(flow) ? resource : NONE;
  }

  /** Bytes per second for a weight of one at a capacity that is kept as a bottleneck. */
  share(resource: number): number {
    return this.#bottlenecks[resource]?.share ?? 0;
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
    this.#levels[flow] = limit / weight;
    this.#resources[flow] = resources;
    this.#rates[flow] = 0;
    this.#keptOn[flow] = NONE;
    this.#isPresent[flow] = true;
    this.#flowSeen[flow] ??= 0;
    this.#changedFlows.push(flow);
    this.#order.splice(this.#position(limit / weight), 0, flow);
    this.#knowResources();
    const places = new Int32Array(resources.length);
    let tight = 0;
    for (let k = 0; k < resources.length; k++) {
      const resource = resources[k]!;
      places[k] = this.#flowsOn[resource]!.push(flow) - 1;
      this.#demands[resource]! += limit;
      if (this.#isTight[resource]) tight++;
    }
    this.#places[flow] = places;
    this.#tightOn[flow] = tight;
    if (tight > 1) this.#cross(flow, 1);
    for (const resource of resources) {
      const cover = this.#coveredBy[resource]!;
      if (cover !== NONE && !resources.includes(cover)) this.#coveredBy[resource] = NONE;
      this.#look(resource);
    }
    return flow;
  }

  remove(flow: number): void {
    this.#order.splice(this.#order.indexOf(flow, this.#position(this.#levels[flow]!)), 1);
    this.#unused.push(flow);
    this.#isPresent[flow] = false;
    const kept = this.#keptOn[flow]!;
    if (kept !== NONE) this.#bottlenecks[kept]!.remove(flow);
    this.#keptOn[flow] = NONE;
    if (this.#tightOn[flow]! > 1) this.#cross(flow, -1);
    const resources = this.#resources[flow]!;
    for (let k = 0; k < resources.length; k++) {
      const resource = resources[k]!;
      this.#takeOff(resource, this.#places[flow]![k]!);
      this.#demands[resource]! -= this.#limits[flow]!;
      if (this.#isTight[resource]) this.#changedResources.push(resource);
    }
    this.#resources[flow] = NO_RESOURCES;
    for (const resource of resources) this.#look(resource);
  }

  /** Sets the rates of all flows that the changes since the last allocation can have reached. */
  allocate(): Allocated {
    this.#changed.length = 0;
    this.#reach();
    const flows = this.#reached.subarray(0, this.#reachedCount);
    this.#filling.fill(flows, this.#shared);
    for (const flow of flows) this.#changed.push(flow);
    for (const resource of this.#kept) this.#settle(resource);
    if (this.#shared.length > 1 && flows.length >= this.#bottleneckFrom) this.#cover();
    return { flows: this.#changed, bottlenecks: this.#kept };
  }

  #settle(resource: number): void {
    const before = this.#changed.length;
    this.#bottleneck(resource).settle(this.#capacities[resource]!, this.#changed);
    for (let i = before; i < this.#changed.length; i++) {
      const flow = this.#changed[i]!;
      this.#rates[flow] = this.#limits[flow]!;
    }
  }

  /** Finds what the changes can reach. */
  #reach(): void {
    this.#allocations++;
    this.#reachedCount = 0;
    this.#shared.length = 0;
    this.#kept.length = 0;
    for (const resource of this.#changedResources) this.#visit(resource);
    this.#changedResources.length = 0;
    for (const flow of this.#changedFlows) if (this.#isPresent[flow]) this.#come(flow);
    this.#changedFlows.length = 0;
    // The list grows while it is read: each flow in it leads to the flows that it shares a tight capacity with. Those on a
    // bottleneck are left out of it.
    let count = 0;
    for (let i = 0; i < this.#reachedCount; i++) {
      const flow = this.#reached[i]!;
      if (!this.#followed(flow)) this.#reached[count++] = flow;
    }
    this.#reachedCount = count;
  }

  /** Visits the tight capacities of a flow. @returns whether one of them is kept as a bottleneck; the flow is on it then */
  #followed(flow: number): boolean {
    if (this.#tightOn[flow] === 0) return false;
    const resources = this.#resources[flow]!;
    for (let k = 0; k < resources.length; k++) {
      const resource = resources[k]!;
      if (!this.#isTight[resource]) continue;
      this.#visit(resource);
      if (!this.#isKept(resource)) continue;
      const bottleneck = this.#bottleneck(resource);
      if (this.#keptOn[flow] === NONE) this.#join(flow, resource, bottleneck);
      return true;
    }
    return false;
  }

  #visit(resource: number): void {
    if (this.#resourceSeen[resource] === this.#allocations) return;
    this.#resourceSeen[resource] = this.#allocations;
    const takers = this.#flowsOn[resource]!;
    if (this.#isKept(resource)) {
      this.#kept.push(resource);
      return;
    }
    const bottleneck = this.#bottlenecks[resource];
    if (bottleneck !== undefined) {
      bottleneck.clear();
      this.#bottlenecks[resource] = undefined;
      for (const flow of takers) this.#keptOn[flow] = NONE;
    }
    if (!this.#isTight[resource]) return;
    this.#shared.push(resource);
    for (let i = 0; i < takers.length; i++) this.#come(takers[i]!);
  }

  #come(flow: number): void {
    if (this.#flowSeen[flow] === this.#allocations) return;
    this.#flowSeen[flow] = this.#allocations;
    if (this.#reachedCount === this.#reached.length) {
      const longer = new Int32Array(2 * this.#reached.length);
      longer.set(this.#reached);
      this.#reached = longer;
    }
    this.#reached[this.#reachedCount++] = flow;
  }

  #isKept(resource: number): boolean {
    return (
      this.#isTight[resource]! &&
      this.#crossing[resource] === 0 &&
      (this.#bottlenecks[resource] !== undefined || this.#flowsOn[resource]!.length >= this.#bottleneckFrom)
    );
  }

  #bottleneck(resource: number): Bottleneck {
    let bottleneck = this.#bottlenecks[resource];
    if (bottleneck === undefined) {
      bottleneck = new Bottleneck(
        { limits: this.#limits, weights: this.#weights, levels: this.#levels },
        this.#bottleneckKeys,
      );
      this.#bottlenecks[resource] = bottleneck;
      for (const flow of this.#flowsOn[resource]!) this.#join(flow, resource, bottleneck);
    }
    return bottleneck;
  }

  #join(flow: number, resource: number, bottleneck: Bottleneck): void {
    bottleneck.add(flow);
    this.#keptOn[flow] = resource;
    this.#rates[flow] = this.#limits[flow]!;
    this.#changed.push(flow);
  }

  /**
   * Sees whether a capacity is tight now. One that was tight stays so until flows would leave half of it, so that one at the
   * edge does not change with each flow; to take a capacity for tight that is not costs time but is no error.
   */
  #look(resource: number): void {
    const count = this.#flowsOn[resource]!.length;
    const capacity = this.#capacities[resource]!;
    if (count === 0) {
      this.#demands[resource] = 0;
      this.#coveredBy[resource] = NONE;
    }
    const cover = this.#coveredBy[resource]!;
    if (cover !== NONE) {
      if (this.#capacities[cover]! <= capacity) return;
      this.#coveredBy[resource] = NONE;
    }
    const demand = this.#demands[resource]!;
    if (this.#isTight[resource]) {
      if (count < 2 || demand < capacity / 2) this.#setTight(resource, false);
    } else if (count > 1 && demand > capacity * (1 - ROUNDING)) this.#setTight(resource, true);
  }

  /** Sees whether the least of the capacities just filled covers others: the next allocation need not fill those. */
  #cover(): void {
    const capacities = this.#capacities;
    const least = this.#shared.reduce((a, b) => (capacities[b]! < capacities[a]! ? b : a));
    for (const resource of this.#shared) {
      if (resource === least) continue;
      if (!this.#flowsOn[resource]!.every((flow) => this.#resources[flow]!.includes(least))) continue;
      this.#setTight(resource, false);
      this.#coveredBy[resource] = least;
    }
  }

  #setTight(resource: number, isTight: boolean): void {
    this.#changedResources.push(resource);
    for (const flow of this.#flowsOn[resource]!) {
      this.#changedFlows.push(flow);
      if (this.#tightOn[flow]! > 1) this.#cross(flow, -1);
    }
    this.#isTight[resource] = isTight;
    for (const flow of this.#flowsOn[resource]!) {
      this.#tightOn[flow]! += isTight ? 1 : -1;
      if (this.#tightOn[flow]! > 1) this.#cross(flow, 1);
    }
  }

  /** Counts a flow among those that cross from one tight capacity to another. */
  #cross(flow: number, by: number): void {
    for (const resource of this.#resources[flow]!)
      if (this.#isTight[resource]) this.#crossing[resource]! += by;
  }

  /** Takes a flow off a capacity; the last one there gets its place. */
  #takeOff(resource: number, place: number): void {
    const flows = this.#flowsOn[resource]!;
    const last = flows.pop()!;
    if (place === flows.length) return;
    flows[place] = last;
    this.#places[last]![this.#resources[last]!.indexOf(resource)] = place;
  }

  /** The first place whose flow reaches its limit at no lower a level. */
  #position(level: number): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#levels[this.#order[middle]!]! < level) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Capacities may have been added. */
  #knowResources(): void {
    while (this.#flowsOn.length < this.#capacities.length) {
      this.#flowsOn.push([]);
      this.#demands.push(0);
      this.#crossing.push(0);
      this.#isTight.push(false);
      this.#coveredBy.push(NONE);
      this.#bottlenecks.push(undefined);
      this.#resourceSeen.push(0);
    }
  }
}
