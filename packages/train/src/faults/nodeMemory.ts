// All that a node remembers, as one thing: to put it back when an exchange breaks off, and to hand it to a node that
// has lost its own, as it is or as it was.

import type { Rank } from "@atoll/core";
import type { KeptMemory, NodeParts } from "../snapshot.ts";

export type NodeMemory = Pick<NodeParts, "replica" | "strategyState" | "recordMemory">;

/** Bytes of a node's state: parameters, optimizer slots, buffers and the strategy's vectors; recording takes no time. */
function memoryBytes({ replica, strategyState }: NodeMemory): number {
  const vectors = [
    replica.parameters,
    replica.buffers,
    ...Object.values(replica.slots),
    ...Object.values(strategyState.tensors),
  ];
  return vectors.reduce((total, vector) => total + vector.byteLength, 0);
}

/** Makes one node remember what another does. Both are of the same run. */
function copyMemory(from: NodeMemory, to: NodeMemory): void {
  to.replica.block.set(from.replica.block);
  for (const [name, tensor] of Object.entries(from.strategyState.tensors))
    to.strategyState.tensors[name]!.set(tensor);
  for (const [name, vector] of Object.entries(from.recordMemory)) to.recordMemory[name]!.set(vector);
  replaceValues(to.strategyState.values, from.strategyState.values);
}

const prefixed = (tensors: Readonly<Record<string, Float32Array>>): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`strategy.${name}`, tensor]));

/** A copy of a node's memory that can be taken again and again. */
export class MemoryCopy {
  readonly #parts: NodeMemory;
  readonly #block: Float32Array;
  readonly #tensors: Readonly<Record<string, Float32Array>>;
  #values: Readonly<Record<string, number>> = {};

  constructor(parts: NodeMemory) {
    this.#parts = parts;
    this.#block = new Float32Array(parts.replica.block.length);
    this.#tensors = Object.fromEntries(
      Object.entries(parts.strategyState.tensors).map(([name, tensor]) => [
        name,
        new Float32Array(tensor.length),
      ]),
    );
  }

  take(): void {
    const { replica, strategyState } = this.#parts;
    this.#block.set(replica.block);
    for (const [name, copy] of Object.entries(this.#tensors)) copy.set(strategyState.tensors[name]!);
    this.#values = { ...strategyState.values };
  }

  putBack(): void {
    this.giveTo(this.#parts);
  }

  /** The copy itself, to be saved. */
  get contents(): KeptMemory {
    return { vectors: { block: this.#block, ...prefixed(this.#tensors) }, values: this.#values };
  }

  /** Becomes what was saved of such a copy. */
  restore({ vectors, values }: KeptMemory): void {
    for (const [name, own] of Object.entries(this.contents.vectors)) own.set(vectors[name]!);
    this.#values = values;
  }

  /** Makes a node of the same run remember it; what that node records is its own. */
  giveTo({ replica, strategyState }: Pick<NodeMemory, "replica" | "strategyState">): void {
    replica.block.set(this.#block);
    for (const [name, copy] of Object.entries(this.#tensors)) strategyState.tensors[name]!.set(copy);
    replaceValues(strategyState.values, this.#values);
  }
}

/** What all nodes of a run remember, by rank. */
export class NodeMemories {
  readonly #of: (rank: Rank) => NodeMemory;
  /** Made when they are first needed: each is as large as its node. */
  readonly #kept: MemoryCopy[] = [];

  /** @param of asked when it is needed */
  constructor(of: (rank: Rank) => NodeMemory) {
    this.#of = of;
  }

  /** Of one node, as all have the same. */
  bytes(): number {
    return memoryBytes(this.#of(0));
  }

  copy(from: Rank, to: Rank): void {
    copyMemory(this.#of(from), this.#of(to));
  }

  /** Keeps what a node remembers now. */
  keep(rank: Rank): void {
    this.#kept[rank] ??= new MemoryCopy(this.#of(rank));
    this.#kept[rank].take();
  }

  /** What is kept of a node. */
  kept(rank: Rank): KeptMemory {
    return this.#kept[rank]!.contents;
  }

  /** What is kept of a node is what was saved of it. */
  restoreKept(rank: Rank, saved: KeptMemory): void {
    this.keep(rank);
    this.#kept[rank]!.restore(saved);
  }

  copyKept(from: Rank, to: Rank): void {
    this.#kept[from]!.giveTo(this.#of(to));
  }
}

function replaceValues(into: Record<string, number>, values: Readonly<Record<string, number>>): void {
  for (const name of Object.keys(into)) if (!(name in values)) delete into[name];
  Object.assign(into, values);
}
