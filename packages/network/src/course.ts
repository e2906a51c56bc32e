// What a path is where links change: over which route a transfer goes at each moment, and at what rate it moves if it has
// the network to itself. Its usual route (path.ts) if all links of it are up, otherwise a detour (detours.ts), which is a
// path with the same draws; its capacities are functions of time (steps.ts).
// A transfer sets out at the first moment at which it has a route; then it pays latency and losses of that route once, and
// its bytes take the capacity of the routes there are from then on. What is on the way when a route changes is not lost.

import { type Seconds, seconds } from "@atoll/core";
import type { FlowCourse } from "./changingFlows.ts";
import type { Detour, Detours, Era } from "./detours.ts";
import type { Drawn } from "./draws.ts";
import type { Occupancy, Take } from "./occupancy.ts";
import type { Path } from "./path.ts";
import { endOf, MOST_IDLE_CHANGES, type Rate, type Steps } from "./steps.ts";

const ROUNDING = 1e-9;

/** What all courses of a network share. */
export interface Changing {
  /** Bytes per second by resource number; of those that change, the mean. */
  readonly capacities: readonly number[];
  /** By resource number, for those that change. */
  readonly steps: readonly (Steps | undefined)[];
  /** What others take of them during the present call. */
  readonly present: { readonly occupancy: Occupancy };
  readonly detours: Detours | undefined;
  /** The path over the links between these nodes. */
  createPath(nodes: Detour): Path;
}

/** A transfer after chance had its say, from the moment on at which it sets out. */
export interface Departed extends Drawn {
  readonly departure: number;
}

export class Course implements Rate {
  readonly own: Path;
  readonly #changing: Changing;
  /** By their nodes. */
  readonly #detours = new Map<string, Path>();
  /** The route in the stretch of time looked at last. */
  #era: Era | undefined;
  #way: Path | undefined;

  constructor(own: Path, changing: Changing) {
    this.own = own;
    this.#changing = changing;
  }

  /** The path that bytes take at a moment; undefined if there is none. */
  wayAt(time: number): Path | undefined {
    const { detours } = this.#changing;
    if (detours === undefined) return this.own;
    const era = detours.era(time);
    if (era !== this.#era) {
      this.#era = era;
      this.#way = this.#find(detours, time);
    }
    return this.#way;
  }

  /** The first moment from `time` on at which there is a way; Infinity if there never is. */
  openFrom(time: number): number {
    let moment = time;
    for (let changes = 0; changes < MOST_IDLE_CHANGES && moment < Number.POSITIVE_INFINITY; changes++) {
      if (this.wayAt(moment) !== undefined) return moment;
      moment = this.#changing.detours!.era(moment).until;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The next transfer, sent at a moment; undefined if it can never set out. */
  depart(size: number, at: number): Departed | undefined {
    const departure = this.openFrom(at);
    if (departure === Number.POSITIVE_INFINITY) return undefined;
    const way = this.wayAt(departure)!;
    // Draws and connections belong to the two ends, whatever the route.
    if (way !== this.own) way.restore(this.own.snapshot());
    const drawn = way.draw(size, departure);
    if (way !== this.own) this.own.restore(way.snapshot());
    return { ...drawn, departure };
  }

  /** When a transfer that has departed arrives if it meets no other of its call. */
  arrival({ departure, delay, size, limit }: Departed, take?: Take): number {
    const begin = departure + delay;
    const moved =
      take &&
      ((from: number, until: number, bytes: number): void =>
        take(this.wayAt(from)!.resources, from, until, bytes));
    const end = size === 0 ? this.openFrom(begin) : endOf(size, begin, this.limited(limit), moved);
    if (end < Number.POSITIVE_INFINITY) this.own.idleSince = end;
    return end;
  }

  /** A transfer that meets no other of its call: when its last byte has left and arrived; Infinity if it never will. */
  send(size: number, at: Seconds, take?: Take): { readonly left: Seconds; readonly arrived: Seconds } {
    const departed = this.depart(size, at);
    const arrived = departed === undefined ? Number.POSITIVE_INFINITY : this.arrival(departed, take);
    return { left: seconds(arrived - (departed?.delay ?? 0)), arrived: seconds(arrived) };
  }

  /** What a resource can carry at a moment besides what others take of it, in bytes per second. */
  capacity(resource: number, time: number): number {
    const { steps, capacities, present } = this.#changing;
    const whole = steps[resource]?.at(time) ?? capacities[resource]!;
    const taken = present.occupancy.of(resource)?.at(time) ?? 0;
    const left = whole - taken;
    // What rounding leaves of a capacity that is taken whole is nothing.
    return left > whole * ROUNDING ? left : 0;
  }

  /** The rate of a transfer that meets no other of its call, in bytes per second; 0 while there is no way. */
  at(time: number): number {
    const way = this.wayAt(time);
    if (way === undefined) return 0;
    let rate = way.ceiling;
    for (const resource of way.resources) rate = Math.min(rate, this.capacity(resource, time));
    return rate;
  }

  /** Whether it stands still at a moment only since earlier calls take a resource whole, which ends. */
  isHeldUp(time: number): boolean {
    const { steps, capacities } = this.#changing;
    const way = this.wayAt(time);
    if (way === undefined || this.at(time) > 0) return false;
    return way.resources.every((resource) => (steps[resource]?.at(time) ?? capacities[resource]!) > 0);
  }

  /** The course of a transfer that moves no faster than this, in bytes per second. */
  limited(limit: number): FlowCourse {
    if (limit === Number.POSITIVE_INFINITY) return this;
    return {
      wayAt: (time) => this.wayAt(time),
      at: (time) => Math.min(limit, this.at(time)),
      capacity: (resource, time) => this.capacity(resource, time),
      isHeldUp: (time) => this.isHeldUp(time),
      nextChange: (time) => this.nextChange(time),
    };
  }

  /** The first moment after `time` at which the way or one of its capacities may change; Infinity if there is none. */
  nextChange(time: number): number {
    const way = this.wayAt(time);
    let next = this.#changing.detours?.era(time).until ?? Number.POSITIVE_INFINITY;
    for (const resource of way?.resources ?? []) {
      const { steps, present } = this.#changing;
      for (const changes of [steps[resource], present.occupancy.of(resource)])
        if (changes !== undefined) next = Math.min(next, changes.nextChange(time));
    }
    return next;
  }

  #find(detours: Detours, time: number): Path | undefined {
    const { source, target, links } = this.own;
    if (detours.isOpen(links, time)) return this.own;
    const nodes = detours.find(source, target, time);
    if (nodes === undefined) return undefined;
    const name = nodes.join();
    const known = this.#detours.get(name);
    const way = known ?? this.#changing.createPath(nodes);
    if (known === undefined) this.#detours.set(name, way);
    return way;
  }
}
