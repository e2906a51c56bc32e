// The flows of one capacity that meet nowhere else: what flows at their limits leave of it, the others share in proportion
// to their weights. Flows come and go at a cost that grows with the logarithm of their number, since a change moves only
// those whose limit lies between the share before and the share after. That is progressive filling (filling.ts) of a single
// capacity, kept from one event to the next; it is not for flows that compete at a second place as well.
// Source: Bertsekas and Gallager, "Data Networks" (2nd ed.), 6.5.2; compensated sums after Neumaier (ZAMM 54, 1974).

import { NumberHeap, type NumberKeys } from "./heap.ts";
import type { NumberList } from "./numberList.ts";

/** What flows may take, by flow number. */
export interface FlowTerms {
  /** Bytes per second. */
  readonly limits: readonly number[];
  readonly weights: readonly number[];
  /** Limit / weight: the share at which a flow reaches its limit. */
  readonly levels: readonly number[];
}

/** Keys of the flows at their limits and of the others; every flow is on one bottleneck at most, so all use the same. */
export interface BottleneckKeys {
  readonly limited: NumberKeys;
  readonly open: NumberKeys;
}

export class Bottleneck {
  readonly #terms: FlowTerms;
  /** Flows at their limits, the highest level first. */
  readonly #limited: NumberHeap;
  /** Flows at the share, the lowest level first. */
  readonly #open: NumberHeap;
  /** Bytes per second of the limited flows. */
  readonly #taken = new Sum();
  /** Weight of the open flows. */
  readonly #weight = new Sum();
  /** Bytes per second for a weight of one, as of the last settling. */
  share = 0;

  constructor(terms: FlowTerms, keys: BottleneckKeys) {
    this.#terms = terms;
    this.#limited = new NumberHeap(keys.limited);
    this.#open = new NumberHeap(keys.open);
  }

  add(flow: number): void {
    if (this.#terms.levels[flow]! > this.share) this.#toOpen(flow);
    else this.#toLimited(flow);
  }

  remove(flow: number): void {
    if (this.isOpen(flow)) this.#fromOpen(flow);
    else this.#fromLimited(flow);
  }

  /** Lets all flows go: they may be added to another bottleneck. */
  clear(): void {
    this.#limited.clear();
    this.#open.clear();
  }

  /** Whether a flow, one of those here, moves at the share and not at its limit. */
  isOpen(flow: number): boolean {
    return this.#open.has(flow);
  }

  /**
   * Finds the share, given the capacity in bytes per second.
   * @param moved gets the flows that were at the share and are at their limits now, or the other way round
   */
  settle(capacity: number, moved: NumberList): void {
    const { levels } = this.#terms;
    // Each flow that gives up its limit raises the share of those above, never beyond its own limit.
    let share = this.#shareOf(capacity);
    for (
      let flow = this.#limited.first;
      flow !== undefined && levels[flow]! > share;
      flow = this.#limited.first
    ) {
      this.#fromLimited(flow);
      this.#toOpen(flow);
      moved.push(flow);
      share = this.#shareOf(capacity);
    }
    for (let flow = this.#open.first; flow !== undefined && levels[flow]! <= share; flow = this.#open.first) {
      this.#fromOpen(flow);
      this.#toLimited(flow);
      moved.push(flow);
      share = Math.max(share, this.#shareOf(capacity));
    }
    this.share = share;
  }

  #shareOf(capacity: number): number {
    const left = capacity - this.#taken.value;
    if (this.#open.first === undefined) return left < 0 ? 0 : Number.POSITIVE_INFINITY;
    return Math.max(0, left) / this.#weight.value;
  }

  #toLimited(flow: number): void {
    this.#limited.set(flow, -this.#terms.levels[flow]!);
    this.#taken.add(this.#terms.limits[flow]!);
  }

  #fromLimited(flow: number): void {
    this.#limited.remove(flow);
    if (this.#limited.first === undefined) this.#taken.clear();
    else this.#taken.add(-this.#terms.limits[flow]!);
  }

  #toOpen(flow: number): void {
    this.#open.set(flow, this.#terms.levels[flow]!);
    this.#weight.add(this.#terms.weights[flow]!);
  }

  #fromOpen(flow: number): void {
    this.#open.remove(flow);
    if (this.#open.first === undefined) this.#weight.clear();
    else this.#weight.add(-this.#terms.weights[flow]!);
  }
}

/** A sum that summands are taken out of again: it keeps what rounding drops, which would add up over many events. */
class Sum {
  #high = 0;
  #low = 0;

  get value(): number {
    return this.#high + this.#low;
  }

  add(summand: number): void {
    const high = this.#high + summand;
    this.#low +=
      Math.abs(this.#high) >= Math.abs(summand) ? this.#high - high + summand : summand - high + this.#high;
    this.#high = high;
  }

  clear(): void {
    this.#high = 0;
    this.#low = 0;
  }
}
