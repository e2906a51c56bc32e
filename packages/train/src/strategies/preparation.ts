// What a node does for an exchange before it meets the others, and where it leaves that until then.

import type { StrategyNode, StrategyState } from "./strategy.ts";

export interface Preparation<T> {
  /** A strategy's `prepare`. */
  prepare(node: StrategyNode, state: StrategyState): Promise<void>;
  /** What was prepared; it is prepared now where nobody has asked for it before. */
  take(node: StrategyNode, state: StrategyState): Promise<T>;
}

/** @param make called once for each exchange of each node, and again where one that broke off is begun anew */
export function preparation<T>(
  make: (node: StrategyNode, state: StrategyState) => Promise<T>,
): Preparation<T> {
  const prepared = new WeakMap<StrategyNode, T>();
  return {
    async prepare(node, state) {
      prepared.set(node, await make(node, state));
    },
    async take(node, state) {
      const present = prepared.get(node) ?? (await make(node, state));
      prepared.delete(node);
      return present;
    },
  };
}

/** What a node uses again in every exchange, made once for each. */
export function scratchPerNode<T>(make: (node: StrategyNode) => T): (node: StrategyNode) => T {
  const kept = new WeakMap<StrategyNode, T>();
  return (node) => {
    const present = kept.get(node) ?? make(node);
    kept.set(node, present);
    return present;
  };
}
