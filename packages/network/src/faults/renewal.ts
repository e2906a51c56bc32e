// An alternating renewal process: something that is up, then down, then up again, for exponentially distributed times.
// Its intervals are drawn as far as they are asked for, always in the same order, so the seed alone decides them.

import type { Random } from "@atoll/core";
import type { OnAndOff } from "./options.ts";

/** Down from `from` up to before `until`; Infinity if for good. In seconds. */
export interface Downtime {
  readonly from: number;
  readonly until: number;
}

/** One of those that are drawn. */
export interface DrawnDowntime extends Downtime {
  /** Its number among all, from 0: names what else is to be drawn for it. */
  readonly number: number;
}

export class Renewal {
  readonly #random: Random;
  readonly #means: OnAndOff;
  readonly #downtimes: DrawnDowntime[] = [];

  constructor(random: Random, means: OnAndOff) {
    this.#random = random;
    this.#means = means;
  }

  /** The first downtime that ends after a moment. */
  next(at: number): DrawnDowntime {
    const drawn = this.#downtimes;
    while (drawn.length === 0 || drawn.at(-1)!.until <= at) {
      const from = (drawn.at(-1)?.until ?? 0) + this.#exponential(this.#means.uptime);
      const until = from + this.#exponential(this.#means.downtime);
      drawn.push({ from, until, number: drawn.length });
    }
    let low = 0;
    let high = drawn.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (drawn[middle]!.until > at) high = middle;
      else low = middle + 1;
    }
    return drawn[low]!;
  }

  #exponential(mean: number): number {
    return -mean * Math.log1p(-this.#random.uniform());
  }
}
