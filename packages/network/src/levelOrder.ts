// Flows in the order in which they reach their limits, as far as somebody asks for it: filling mostly stops long before the
// last one, so they are a heap, made in linear time, and not a sorted list.
// The order of flows that reach their limits at the same level is fixed, too: with weights it decides the last bit of what
// they leave to others.

import { NumberList } from "./numberList.ts";

export const NONE = -1;

/** By flow number. */
export interface Levels {
  /** The share at which a flow reaches its limit. */
  readonly levels: readonly number[];
  /** When each flow was added, in any ascending numbers. */
  readonly added: readonly number[];
}

export class LevelOrder {
  readonly #levels: readonly number[];
  readonly #added: readonly number[];
  /** Flows: a binary heap. */
  readonly #heap = new NumberList();
  /** By flow: of those with equal levels the one with the least comes first. */
  readonly #ties: number[] = [];

  constructor({ levels, added }: Levels) {
    this.#levels = levels;
    this.#added = added;
  }

  /**
   * Begins with these flows. At the same level they come in the order of the list if they are few of all, and else the
   * ones that were added last come first.
   * @param all how many flows there are, these and others
   */
  start(flows: NumberList, all: number): void {
    const heap = this.#heap;
    const isFew = flows.size * Math.log2(flows.size + 1) <= all;
    heap.clear();
    for (let i = 0; i < flows.size; i++) {
      const flow = flows.items[i]!;
      heap.push(flow);
      this.#ties[flow] = isFew ? i : -this.#added[flow]!;
    }
    for (let i = (heap.size >> 1) - 1; i >= 0; i--) this.#sink(i, heap.items[i]!);
  }

  /** NONE when all are through. */
  next(): number {
    const heap = this.#heap;
    if (heap.size === 0) return NONE;
    const first = heap.items[0]!;
    const last = heap.items[--heap.size]!;
    if (heap.size > 0) this.#sink(0, last);
    return first;
  }

  #isBefore(a: number, b: number): boolean {
    const first = this.#levels[a]!;
    const second = this.#levels[b]!;
    return first < second || (first === second && this.#ties[a]! < this.#ties[b]!);
  }

  #sink(start: number, flow: number): void {
    const { items, size } = this.#heap;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isBefore(items[child + 1]!, items[child]!)) child++;
      if (!this.#isBefore(items[child]!, flow)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = flow;
  }
}
