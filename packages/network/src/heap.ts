// Binary min-heaps: the queue of the clock's events, of flows that start and end, and of shares that fill up.
// Source: Cormen et al., "Introduction to Algorithms", chapter 6. Elements that compare equal come out in any order,
// so an order that must be total belongs in `before`.

import { NumberList } from "./numberList.ts";

export class MinHeap<T> {
  /** The first `#size` are in the heap; the room of the others is kept, which arrays that get shorter give back. */
  readonly #items: (T | undefined)[];
  readonly #before: (a: T, b: T) => boolean;
  #size: number;

  /** Takes `items` over and orders them in linear time. */
  constructor(before: (a: T, b: T) => boolean, items: T[] = []) {
    this.#before = before;
    this.#items = items;
    this.#size = items.length;
    for (let i = (items.length >> 1) - 1; i >= 0; i--) this.#sink(i, items[i]!);
  }

  get size(): number {
    return this.#size;
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    const before = this.#before;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, items[parent]!)) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    if (this.#size === 0) return undefined;
    const items = this.#items;
    const top = items[0];
    const last = items[--this.#size]!;
    items[this.#size] = undefined;
    if (this.#size > 0) this.#sink(0, last);
    return top;
  }

  clear(): void {
    this.#items.length = 0;
    this.#size = 0;
  }

  /** Puts an item where its place or one below it is. */
  #sink(start: number, item: T): void {
    const items = this.#items;
    const before = this.#before;
    const size = this.#size;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && before(items[child + 1]!, items[child]!)) child++;
      if (!before(items[child]!, item)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = item;
  }
}

/** What heaps know of the numbers in them. Heaps that never hold the same number may have it in common. */
export interface NumberKeys {
  readonly keys: number[];
  /** The place among the items of its heap (−1: none). */
  readonly places: number[];
}

export const numberKeys = (): NumberKeys => ({ keys: [], places: [] });

/** Small whole numbers ordered by keys that may change. */
export class NumberHeap {
  readonly #list = new NumberList();
  readonly #items: number[] = this.#list.items;
  readonly #keys: number[];
  readonly #places: number[];

  constructor({ keys, places }: NumberKeys = numberKeys()) {
    this.#keys = keys;
    this.#places = places;
  }

  /** The least key, infinite if there is none. */
  get least(): number {
    return this.#list.size === 0 ? Number.POSITIVE_INFINITY : this.#keys[this.#items[0]!]!;
  }

  /** A number that has the least key. */
  get first(): number | undefined {
    return this.#list.size === 0 ? undefined : this.#items[0];
  }

  has(number: number): boolean {
    const place = this.#places[number] ?? -1;
    return place !== -1 && place < this.#list.size && this.#items[place] === number;
  }

  /** Puts a number in, or gives one that is in another key. */
  set(number: number, key: number): void {
    const keys = this.#keys;
    while (keys.length <= number) this.#places[keys.push(0) - 1] = -1;
    const place = this.#places[number]!;
    const before = keys[number]!;
    keys[number] = key;
    if (place === -1) this.#rise(this.#list.push(number), number);
    else if (key < before) this.#rise(place, number);
    else this.#sink(place, number);
  }

  /** Takes out a number that has the least key; there has to be one. */
  pop(): number {
    const top = this.#items[0]!;
    this.remove(top);
    return top;
  }

  clear(): void {
    for (let i = 0; i < this.#list.size; i++) this.#places[this.#items[i]!] = -1;
    this.#list.clear();
  }

  /** Takes out a number, if it is in. */
  remove(number: number): void {
    if (!this.has(number)) return;
    const place = this.#places[number]!;
    const last = this.#items[--this.#list.size]!;
    this.#places[number] = -1;
    if (last === number) return;
    if (this.#keys[last]! < this.#keys[number]!) this.#rise(place, last);
    else this.#sink(place, last);
  }

  #rise(start: number, number: number): void {
    const key = this.#keys[number]!;
    let at = start;
    while (at > 0) {
      const parent = this.#items[(at - 1) >> 1]!;
      if (this.#keys[parent]! <= key) break;
      this.#put(at, parent);
      at = (at - 1) >> 1;
    }
    this.#put(at, number);
  }

  #sink(start: number, number: number): void {
    const items = this.#items;
    const keys = this.#keys;
    const { size } = this.#list;
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && keys[items[child + 1]!]! < keys[items[child]!]!) child++;
      if (keys[items[child]!]! >= keys[number]!) break;
      this.#put(at, items[child]!);
      at = child;
    }
    this.#put(at, number);
  }

  #put(place: number, number: number): void {
    this.#items[place] = number;
    this.#places[number] = place;
  }
}
