// Groups of ranks that are drawn anew each round from the shared stream, so that all nodes know them without a message.

import type { StrategyNode } from "./strategy.ts";

/**
 * The ranks of this node's island in a round, ascending: a shuffle of all ranks is cut into groups of `islandSize`, the
 * last of which may be smaller. Undefined where all nodes form one.
 */
export function islandOf(
  node: StrategyNode,
  islandSize: number | undefined,
  round: number,
): readonly number[] | undefined {
  const { rank, worldSize } = node.communicator;
  if (islandSize === undefined || islandSize === worldSize) return undefined;
  const order = node.sharedRandom.derive("islands", round).permutation(worldSize);
  const island = Math.floor(order.indexOf(rank) / islandSize);
  return [...order.subarray(island * islandSize, (island + 1) * islandSize)].sort((a, b) => a - b);
}
