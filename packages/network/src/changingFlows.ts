// A fluid simulation like flows.ts, for flows whose routes and capacities change over time. One more kind of event: the
// moment at which the route of a flow or a capacity on it may change; then the flow is taken out of the sharing and put in
// again with what it takes now, or set aside while it has no route or no capacity.

import { MinHeap } from "./heap.ts";
import { NONE } from "./levelOrder.ts";
import type { Take } from "./occupancy.ts";
import { FlowProgress, SAME_MOMENT } from "./progress.ts";
import { MOST_IDLE_CHANGES } from "./steps.ts";

/** What a flow takes, as a function of time. */
export interface FlowCourse {
  /** Resources, weight and own highest rate of the route at a moment; undefined while there is none. */
  wayAt(
    time: number,
  ): { readonly resources: readonly number[]; readonly weight: number; readonly ceiling: number } | undefined;
  /** The rate of a flow that meets no other, in bytes per second. */
  at(time: number): number;
  /** Bytes per second of a resource at a moment. */
  capacity(resource: number, time: number): number;
  /** Whether it stands still at a moment only since earlier calls take a resource whole, which ends. */
  isHeldUp(time: number): boolean;
  /** The first moment after `time` at which any of this may be different; Infinity if there is none. */
  nextChange(time: number): number;
}

export interface ChangingFlow {
  readonly course: FlowCourse;
  /** Bytes. */
  readonly size: number;
  /** When it begins to take bandwidth, in seconds; not before the present. */
  readonly begin: number;
}

/** A flow between its beginning and its end. */
interface Moving<F> {
  readonly flow: F;
  /** Bytes that were left when it was given its route or set aside. */
  left: number;
  /** Its number among those that share, or NONE while it is set aside. */
  number: number;
  /** When it was given its route, and that route's resources. */
  since: number;
  resources: readonly number[];
  isDone: boolean;
}

const SET_ASIDE = { number: NONE, since: 0, resources: [], isDone: false };

interface Change<F> {
  readonly time: number;
  readonly moving: Moving<F>;
}

/** `F` is what the caller knows its flows by. */
export class ChangingFlowSimulation<F extends ChangingFlow> {
  /** Bytes per second by resource number, as of now, for resources that flows take. */
  readonly #capacities: number[] = [];
  readonly #progress: FlowProgress;
  readonly #waiting = new MinHeap<F>((a, b) => a.begin < b.begin);
  readonly #changes = new MinHeap<Change<F>>((a, b) => a.time < b.time);
  /** By their numbers. */
  readonly #moving: Moving<F>[] = [];
  readonly #take: Take | undefined;
  #now = 0;
  /** Changes on end at which no flow was moving, nor held up. */
  #idleChanges = 0;

  /**
   * @param take is told what moved between two changes of a flow's route or capacities
   * @param bottleneckFrom see FairSharing
   */
  constructor(take?: Take, bottleneckFrom?: number) {
    this.#take = take;
    this.#progress = new FlowProgress(this.#capacities, bottleneckFrom);
  }

  start(flow: F): void {
    this.#waiting.push(flow);
  }

  /** Goes to the next moment at which flows arrive; undefined when none is left that ever will. */
  next(): { readonly time: number; readonly arrived: readonly F[] } | undefined {
    while (this.#idleChanges < MOST_IDLE_CHANGES) {
      const begin = this.#waiting.peek()?.begin ?? Number.POSITIVE_INFINITY;
      const change = this.#changes.peek()?.time ?? Number.POSITIVE_INFINITY;
      const time = Math.min(this.#progress.nextEnd, begin, change);
      if (time === Number.POSITIVE_INFINITY) return undefined;
      const arrived = this.#advance(time);
      if (arrived.length > 0) return { time, arrived };
      const isIdle = this.#progress.size === 0 && this.#waiting.size === 0;
      this.#idleChanges = isIdle ? this.#idleChanges + 1 : 0;
    }
    return undefined;
  }

  #advance(time: number): readonly F[] {
    const limit = time + Math.abs(time) * SAME_MOMENT;
    const arrived: F[] = [];
    this.#now = time;
    while (this.#progress.nextEnd <= limit) {
      const moving = this.#moving[this.#progress.end()]!;
      moving.isDone = true;
      this.#take?.(moving.resources, moving.since, time, moving.left);
      arrived.push(moving.flow);
    }
    for (
      let change = this.#changes.peek();
      change !== undefined && change.time <= time;
      change = this.#changes.peek()
    ) {
      this.#changes.pop();
      if (!change.moving.isDone) this.#route(change.moving, arrived);
    }
    for (
      let flow = this.#waiting.peek();
      flow !== undefined && flow.begin <= limit;
      flow = this.#waiting.peek()
    ) {
      this.#waiting.pop();
      this.#route({ ...SET_ASIDE, flow, left: flow.size }, arrived);
    }
    this.#progress.update(time);
    return arrived;
  }

  /** Gives a flow what it takes now. An empty one arrives as soon as it has a route. */
  #route(moving: Moving<F>, arrived: F[]): void {
    const { course } = moving.flow;
    if (moving.number !== NONE) {
      const left = this.#progress.takeOut(moving.number, this.#now);
      this.#take?.(moving.resources, moving.since, this.#now, moving.left - left);
      moving.left = left;
      moving.number = NONE;
    }
    const way = course.wayAt(this.#now);
    if (way !== undefined && moving.left === 0) {
      moving.isDone = true;
      arrived.push(moving.flow);
      return;
    }
    const rate = way === undefined ? 0 : course.at(this.#now);
    if (way !== undefined && rate > 0) {
      for (const resource of way.resources) this.#capacities[resource] = course.capacity(resource, this.#now);
      moving.number = this.#progress.add(moving.left, this.#now, way.resources, rate, way.weight);
      this.#moving[moving.number] = moving;
      moving.since = this.#now;
      moving.resources = way.resources;
    } else if (course.isHeldUp(this.#now)) this.#idleChanges = 0;
    const time = course.nextChange(this.#now);
    if (time < Number.POSITIVE_INFINITY) this.#changes.push({ time, moving });
  }
}
