// Routes while links are down: a message takes its usual route if all links of it are up, otherwise the shortest one over
// links that are (of several such the one over the lowest ranks, seen from the source on), if there is any. A route is a
// function of the ends and of which links are up, so it is found once for each stretch of time between two changes.
// Real networks need time to notice and to find a new route; here both happen at once.

import type { Rank } from "@atoll/core";
import type { Link } from "./link.ts";
import type { Outages } from "./outages.ts";
import type { Topology } from "./topology/topology.ts";

/** A stretch of time in which no link goes down or comes up, as far as it was looked at. */
export interface Era {
  readonly from: number;
  /** The next change; Infinity if there is none. */
  readonly until: number;
}

const UNSEEN = -1;

/** Nodes from a source to a target. */
export type Detour = readonly Rank[];

export class Detours {
  readonly #topology: Topology;
  readonly #outages: Outages;
  #era: Era = { from: Number.POSITIVE_INFINITY, until: Number.NEGATIVE_INFINITY };
  /** Of the era, by source and target; null where there is none. */
  readonly #found = new Map<number, Detour | null>();
  /** Of the era, once asked for: a number for each node that is the same for two that can reach each other. */
  #parts: Int32Array | undefined;

  constructor(topology: Topology, outages: Outages) {
    this.#topology = topology;
    this.#outages = outages;
  }

  /** The stretch of time that holds a moment; the same object as before if it is the same stretch. */
  era(at: number): Era {
    const { from, until } = this.#era;
    if (at >= from && at < until) return this.#era;
    this.#era = { from: at, until: this.#outages.nextChange(at) };
    this.#found.clear();
    this.#parts = undefined;
    return this.#era;
  }

  /** Whether all links of a route are up at a moment. */
  isOpen(links: readonly Link[], at: number): boolean {
    return links.every(({ source, target }) => this.#outages.isUp(source, target, at));
  }

  /** The nodes of the shortest way over links that are up at a moment; undefined if there is none. */
  find(source: Rank, target: Rank, at: number): Detour | undefined {
    const { from } = this.era(at);
    const key = source * this.#topology.worldSize + target;
    let detour = this.#found.get(key);
    if (detour === undefined) {
      this.#parts ??= this.#partition(from);
      detour = this.#parts[source] === this.#parts[target] ? this.#search(source, target, from) : null;
      this.#found.set(key, detour);
    }
    return detour ?? undefined;
  }

  /** Breadth first, each node's neighbours ascending. */
  #search(source: Rank, target: Rank, at: number): Detour {
    const previous = new Int32Array(this.#topology.worldSize).fill(UNSEEN);
    previous[source] = source;
    const queue = [source];
    for (const node of queue) {
      for (const other of this.#topology.neighbours(node)) {
        if (previous[other] !== UNSEEN || !this.#outages.isUp(node, other, at)) continue;
        previous[other] = node;
        queue.push(other);
      }
      if (previous[target] !== UNSEEN) break;
    }
    const nodes = [target];
    while (nodes.at(-1) !== source) nodes.push(previous[nodes.at(-1)!]!);
    return nodes.reverse();
  }

  #partition(at: number): Int32Array {
    const { worldSize } = this.#topology;
    const parts = new Int32Array(worldSize).fill(UNSEEN);
    let seen = 0;
    for (let first = 0; first < worldSize && seen < worldSize; first++) {
      if (parts[first] !== UNSEEN) continue;
      parts[first] = first;
      seen++;
      const queue = [first];
      for (const node of queue) {
        if (seen === worldSize) break;
        for (const other of this.#topology.neighbours(node)) {
          if (parts[other] !== UNSEEN || !this.#outages.isUp(node, other, at)) continue;
          parts[other] = first;
          seen++;
          queue.push(other);
        }
      }
    }
    return parts;
  }
}
