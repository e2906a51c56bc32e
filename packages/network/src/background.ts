// Background traffic: other people's use of a link takes a part of each of its directions, drawn anew for each interval of
// simulated time. The part is uniform around its mean, as wide as it can be between 0 and 99 %, so a link never stops.
// It is drawn from (seed, direction, number of the interval) and from nothing else: there is no state to save, and what a
// link does at a moment does not depend on which links were looked at before.
// This is no model of other flows: it does not give way when there is much to send, nor does it come in bursts.

import { ConfigError, type Random, type RandomKey, type Rank, threefry2x32 } from "@atoll/core";
import type { Steps } from "./steps.ts";

export interface BackgroundOptions {
  /** Mean part of each direction of a link that others take, from 0 to 0.99. */
  readonly load: number;
  /** Seconds after which the part is drawn anew. Default 1. */
  readonly interval?: number | undefined;
}

export interface BackgroundModel {
  readonly load: number;
  readonly interval: number;
}

/** The largest part that others may take. */
const MOST = 0.99;
/** Seconds: a link that changes more often than packets are sent is one that has its mean. */
const LEAST_INTERVAL = 1e-6;

/** @throws ConfigError for a value out of its limits */
export function resolveBackground({ load, interval = 1 }: BackgroundOptions): BackgroundModel {
  if (!(load >= 0 && load <= MOST))
    throw new ConfigError(
      `Option "network.background.load": expected a part of each link from 0 to ${MOST}, got ${JSON.stringify(load)}.`,
    );
  if (!(interval >= LEAST_INTERVAL && interval < Number.POSITIVE_INFINITY))
    throw new ConfigError(
      `Option "network.background.interval": expected seconds from ${LEAST_INTERVAL} on, got ${JSON.stringify(interval)}.`,
    );
  return { load, interval };
}

/** The part of one direction of a link that others leave. */
export class FreePart implements Steps {
  readonly #model: BackgroundModel;
  readonly #key: RandomKey;
  /** The interval looked at last, and its value. */
  #number = -1;
  #value = 1;

  /** @param random the network's stream, which is not used up */
  constructor(model: BackgroundModel, random: Random, source: Rank, target: Rank) {
    this.#model = model;
    this.#key = random.derive("background", source, target).key;
  }

  at(time: number): number {
    const number = this.#interval(time);
    if (number !== this.#number) {
      this.#number = number;
      this.#value = 1 - this.#taken(number);
    }
    return this.#value;
  }

  nextChange(time: number): number {
    return (this.#interval(time) + 1) * this.#model.interval;
  }

  #taken(number: number): number {
    const { load } = this.#model;
    const [word] = threefry2x32(this.#key[0], this.#key[1], number >>> 0, Math.floor(number / 2 ** 32));
    return load + Math.min(load, MOST - load) * ((2 * word) / 2 ** 32 - 1);
  }

  /** The last interval that begins no later than `time`: a quotient that is rounded may be off by one. */
  #interval(time: number): number {
    const { interval } = this.#model;
    let number = Math.floor(time / interval);
    while (number * interval > time) number--;
    while ((number + 1) * interval <= time) number++;
    return number;
  }
}
