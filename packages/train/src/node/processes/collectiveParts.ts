// Puts together what ranks report of their parts in collectives: one event for each, once all its members are done.

import type { CollectivePart } from "@atoll/comm/node";
import type { EventSink } from "@atoll/core";

/** Collectives whose members do not all report, since some are lost, are given up after so many later ones. */
const MOST_OPEN = 1000;

export class CollectiveParts {
  readonly #emit: EventSink;
  readonly #open = new Map<string, CollectivePart[]>();

  constructor(emit: EventSink) {
    this.#emit = emit;
  }

  add(part: CollectivePart): void {
    const { name, ranks } = part;
    const parts = this.#open.get(name) ?? [];
    parts.push(part);
    if (parts.length < ranks.length) {
      this.#open.set(name, parts);
      const [oldest] = this.#open.keys();
      if (this.#open.size > MOST_OPEN) this.#open.delete(oldest!);
      return;
    }
    this.#open.delete(name);
    parts.sort((a, b) => a.member - b.member);
    this.#emit({
      type: "collective",
      operation: part.operation,
      algorithm: part.algorithm,
      ranks,
      ready: parts.map(({ ready }) => ready),
      end: parts.map(({ end }) => end),
      bytes: parts.map(({ bytes }) => bytes),
    });
  }
}
