// What a node does for an exchange before it meets the others, and where it leaves that until then.

import type { StrategyNode, StrategyState } from "./strategy.ts";

export interface Preparation<T> {
  /** A strategy's `prepare`. */
  prepare(node: StrategyNode, state: StrategyState): Promise<void>;
  /** What was prepared; it is prepared now where nobody has asked for it before. */
  take(node: StrategyNode, state: StrategyState): Promise<T>;
}

/** @param make called once for each exchange of each node */
export function preparation<T>(
  make: (node: StrategyNode, state: StrategyState) => Promise<T>,
): Preparation<T> {
  const prepared = new WeakMap<StrategyState, T>();
  return {
    async prepare(node, state) {
      prepared.set(state, await make(node, state));
    },
    async take(node, state) {
      const present = prepared.get(state) ?? (await make(node, state));
      prepared.delete(state);
      return present;
    },
  };
}

/** Vectors that a node uses again in every exchange, made once for each state and where its parameters lie. */
export function scratchPerNode<T>(
  make: (node: StrategyNode) => T,
): (node: StrategyNode, state: StrategyState) => T {
  const kept = new WeakMap<StrategyState, T>();
  return (node, state) => {
    const present = kept.get(state) ?? make(node);
    kept.set(state, present);
    return present;
  };
}
