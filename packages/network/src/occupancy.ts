// What calls that go on among each other take of a network's capacities, so that a later one gets what earlier ones leave.
// Within one call capacities are shared fairly (sharing.ts); between calls the first to be timed is the first served, since
// its members have been told when they are done and may have gone on. No capacity carries more than it can. What is
// taken is told in pieces of an even rate; where others of the same call come and go within a piece, that is the mean.

import type { Steps } from "./steps.ts";

/** Notes that bytes move over some capacities from one moment to another. */
export type Take = (resources: readonly number[], from: number, until: number, bytes: number) => void;

/** Bytes per second that are taken of one capacity, as a function of time. */
export class Taken implements Steps {
  /** `#rates[i]` holds from `#times[i]` to the next; before the first time it is 0, and so is the last rate. */
  readonly #times: number[] = [];
  readonly #rates: number[] = [];

  /** When the last of it ends; −Infinity if there is nothing. */
  get end(): number {
    return this.#times.at(-1) ?? Number.NEGATIVE_INFINITY;
  }

  at(time: number): number {
    return this.#rates[this.#find(time)] ?? 0;
  }

  nextChange(time: number): number {
    return this.#times[this.#find(time) + 1] ?? Number.POSITIVE_INFINITY;
  }

  add(from: number, until: number, rate: number): void {
    const first = this.#split(from);
    const last = this.#split(until);
    for (let i = first; i < last; i++) this.#rates[i]! += rate;
  }

  /** The last change no later than `time`; −1 before the first. */
  #find(time: number): number {
    let low = -1;
    let high = this.#times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#times[middle]! <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Makes `time` a change, if it is none; returns its number. */
  #split(time: number): number {
    const before = this.#find(time);
    if (this.#times[before] === time) return before;
    this.#times.splice(before + 1, 0, time);
    this.#rates.splice(before + 1, 0, this.#rates[before] ?? 0);
    return before + 1;
  }
}

/** What is taken of all capacities, which are numbers: those of one network. */
export class Occupancy {
  readonly #taken: (Taken | undefined)[] = [];
  /** When the last of all ends. */
  #end = Number.NEGATIVE_INFINITY;

  /** What is taken of a capacity; undefined if nothing is. */
  of(resource: number): Taken | undefined {
    return this.#taken[resource];
  }

  /** Whether nothing at all is taken from a moment on. */
  isOver(from: number): boolean {
    return this.#end <= from;
  }

  /** Whether nothing is taken of these capacities from a moment on. */
  isFree(resources: readonly number[], from: number): boolean {
    return this.isOver(from) || resources.every((resource) => !((this.#taken[resource]?.end ?? from) > from));
  }

  readonly take: Take = (resources, from, until, bytes) => {
    if (!(until > from && until < Number.POSITIVE_INFINITY)) return;
    this.#end = Math.max(this.#end, until);
    const rate = bytes / (until - from);
    for (const resource of resources) this.#at(resource).add(from, until, rate);
  };

  #at(resource: number): Taken {
    const present = this.#taken[resource];
    if (present !== undefined) return present;
    const made = new Taken();
    this.#taken[resource] = made;
    return made;
  }
}
