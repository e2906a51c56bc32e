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
import { NONE } from "./levelOrder.ts";
import { NumberList } from "./numberList.ts";

/** So many flows on a capacity are worth keeping it as a bottleneck; with fewer, filling is as quick. */
const BOTTLENECK_FROM = 8;

/** Sums of limits are kept over many events: what rounding may have done to them must not make a capacity seem ample. */
const ROUNDING = 1e-6;

const NO_RESOURCES: readonly number[] = [];

/** What an allocation may have changed; valid until the next one. */
export interface Allocated {
  /** Flows that have another rate, or are at another bottleneck's share than before; some more than once. */
  readonly flows: NumberList;
  /** Capacities kept as bottlenecks, which have another share or other flows. */
  readonly bottlenecks: NumberList;
}

/** Shares capacities among flows that come and go. */
export class FairSharing {
  readonly #capacities: readonly number[];
  readonly #bottleneckFrom: number;
  /** Numbers of flows that were removed, and how many there are besides. */
  readonly #unused: number[] = [];
  #size = 0;
  readonly #limits: number[] = [];
  readonly #weights: number[] = [];
  readonly #levels: number[] = [];
  /** When each flow was added, as the number of flows before it. */
  readonly #added: number[] = [];
  #additions = 0;
  readonly #resources: (readonly number[])[] = [];
  readonly #rates: number[] = [];
  /** By flow: its place among the flows on each of its capacities. */
  readonly #places: Int32Array[] = [];
  /** How many of a flow's capacities are tight. */
  readonly #tightOn: number[] = [];
  /** The capacity that is kept as a bottleneck with the flow on it, or NONE. */
  readonly #keptOn: number[] = [];
  readonly #isPresent: boolean[] = [];
  readonly #flowsOn: NumberList[] = [];
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
  readonly #changedFlows = new NumberList();
  readonly #changedResources = new NumberList();
  /** What an allocation comes to: flows to be filled and the capacities to fill, and bottlenecks. */
  readonly #reached = new NumberList();
  readonly #shared = new NumberList();
  readonly #kept = new NumberList();
  readonly #changed = new NumberList();
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
      added: this.#added,
      rates: this.#rates,
    });
  }

  /** How many flows there are. */
  get size(): number {
    return this.#size;
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
  add(resources: readonly number[], limit: number, weight = 1): number {
    const flow = this.#unused.pop() ?? this.#size;
    this.#size++;
    this.#limits[flow] = limit;
    this.#weights[flow] = weight;
    this.#levels[flow] = limit / weight;
    this.#added[flow] = this.#additions++;
    this.#resources[flow] = resources;
    this.#rates[flow] = 0;
    this.#keptOn[flow] = NONE;
    this.#isPresent[flow] = true;
    this.#flowSeen[flow] ??= 0;
    this.#changedFlows.push(flow);
    this.#knowResources();
    const places = this.#placesFor(flow, resources.length);
    let tight = 0;
    for (let k = 0; k < resources.length; k++) {
      const resource = resources[k]!;
      places[k] = this.#flowsOn[resource]!.push(flow);
      this.#demands[resource]! += limit;
      if (this.#isTight[resource]) tight++;
    }
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
    this.#unused.push(flow);
    this.#size--;
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
    this.#changed.clear();
    this.#reach();
    const flows = this.#reached;
    this.#filling.fill(flows, this.#shared, this.#size);
    for (let i = 0; i < flows.size; i++) this.#changed.push(flows.items[i]!);
    for (let i = 0; i < this.#kept.size; i++) this.#settle(this.#kept.items[i]!);
    if (this.#shared.size > 1 && flows.size >= this.#bottleneckFrom) this.#cover();
    return { flows: this.#changed, bottlenecks: this.#kept };
  }

  #settle(resource: number): void {
    const before = this.#changed.size;
    this.#bottleneck(resource).settle(this.#capacities[resource]!, this.#changed);
    for (let i = before; i < this.#changed.size; i++) {
      const flow = this.#changed.items[i]!;
      this.#rates[flow] = this.#limits[flow]!;
    }
  }

  /** Finds what the changes can reach. */
  #reach(): void {
    const changedResources = this.#changedResources;
    const changedFlows = this.#changedFlows;
    const reached = this.#reached;
    this.#allocations++;
    reached.clear();
    this.#shared.clear();
    this.#kept.clear();
    for (let i = 0; i < changedResources.size; i++) this.#visit(changedResources.items[i]!);
    changedResources.clear();
    for (let i = 0; i < changedFlows.size; i++)
      if (this.#isPresent[changedFlows.items[i]!]) this.#come(changedFlows.items[i]!);
    changedFlows.clear();
    // The list grows while it is read: each flow in it leads to the flows that it shares a tight capacity with. Those on a
    // bottleneck are left out of it.
    let count = 0;
    for (let i = 0; i < reached.size; i++) {
      const flow = reached.items[i]!;
      if (!this.#followed(flow)) reached.items[count++] = flow;
    }
    reached.size = count;
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
      for (let i = 0; i < takers.size; i++) this.#keptOn[takers.items[i]!] = NONE;
    }
    if (!this.#isTight[resource]) return;
    this.#shared.push(resource);
    for (let i = 0; i < takers.size; i++) this.#come(takers.items[i]!);
  }

  #come(flow: number): void {
    if (this.#flowSeen[flow] === this.#allocations) return;
    this.#flowSeen[flow] = this.#allocations;
    this.#reached.push(flow);
  }

  #isKept(resource: number): boolean {
    return (
      this.#isTight[resource]! &&
      this.#crossing[resource] === 0 &&
      (this.#bottlenecks[resource] !== undefined || this.#flowsOn[resource]!.size >= this.#bottleneckFrom)
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
      const { items, size } = this.#flowsOn[resource]!;
      for (let i = 0; i < size; i++) this.#join(items[i]!, resource, bottleneck);
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
    const count = this.#flowsOn[resource]!.size;
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
    const { items, size } = this.#shared;
    let least = items[0]!;
    for (let i = 1; i < size; i++) if (capacities[items[i]!]! < capacities[least]!) least = items[i]!;
    for (let i = 0; i < size; i++) {
      const resource = items[i]!;
      if (resource === least || !this.#covers(least, resource)) continue;
      this.#setTight(resource, false);
      this.#coveredBy[resource] = least;
    }
  }

  /** Whether all flows on a capacity take another one as well. */
  #covers(cover: number, resource: number): boolean {
    const { items, size } = this.#flowsOn[resource]!;
    for (let i = 0; i < size; i++) if (!this.#resources[items[i]!]!.includes(cover)) return false;
    return true;
  }

  #setTight(resource: number, isTight: boolean): void {
    this.#changedResources.push(resource);
    const { items, size } = this.#flowsOn[resource]!;
    for (let i = 0; i < size; i++) {
      const flow = items[i]!;
      this.#changedFlows.push(flow);
      if (this.#tightOn[flow]! > 1) this.#cross(flow, -1);
    }
    this.#isTight[resource] = isTight;
    for (let i = 0; i < size; i++) {
      const flow = items[i]!;
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
    const last = flows.items[--flows.size]!;
    if (place === flows.size) return;
    flows.items[place] = last;
    this.#places[last]![this.#resources[last]!.indexOf(resource)] = place;
  }

  /** Room for a flow's places; what the flow that had its number before has left, if it does. */
  #placesFor(flow: number, count: number): Int32Array {
    let places = this.#places[flow];
    if (places?.length !== count) {
      places = new Int32Array(count);
      this.#places[flow] = places;
    }
    return places;
  }

  /** Capacities may have been added. */
  #knowResources(): void {
    while (this.#flowsOn.length < this.#capacities.length) {
      this.#flowsOn.push(new NumberList());
      this.#demands.push(0);
      this.#crossing.push(0);
      this.#isTight.push(false);
      this.#coveredBy.push(NONE);
      this.#bottlenecks.push(undefined);
      this.#resourceSeen.push(0);
    }
  }
}
