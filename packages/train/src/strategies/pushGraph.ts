// Whom a node sends to, and whom it hears from, in a round of directed gossip: partner selection without a message, since
// all nodes compute the same graph. It moves nothing itself.
// Source: Assran et al., "Stochastic gradient push for distributed deep learning" (arXiv 1811.10792), appendix A, for the
// directed exponential graph; its reference implementation for how several peers take their turns.

import type { Random, Rank } from "@atoll/core";

export const pushGraphs = ["exponential", "ring", "random"] as const;
export type PushGraph = (typeof pushGraphs)[number];

export interface PushRound {
  readonly graph: PushGraph;
  /** Nodes that each node sends to; all that a graph gives it, where that are fewer. */
  readonly peers: number;
  /** From 0. */
  readonly round: number;
  readonly worldSize: number;
  /** The stream that all nodes share. */
  readonly random: Random;
}

/** Both without the node itself, each rank at most once. */
export interface Neighbours {
  readonly out: readonly Rank[];
  readonly in: readonly Rank[];
}

/** The most peers that a graph gives to each node, at least 0. */
export function mostPeers(graph: PushGraph, worldSize: number): number {
  if (graph === "exponential") return exponents(worldSize);
  return graph === "ring" ? Math.min(2, worldSize - 1) : worldSize - 1;
}

/** Nodes that each node sends to, if it shall be so many and the graph gives it as many. */
export const peersAmong = (worldSize: number, { graph, peers }: Pick<PushRound, "graph" | "peers">): number =>
  Math.min(peers, mostPeers(graph, worldSize));

/**
 * - `exponential`: i sends to i + 2^e mod N, where e goes through 0 … ⌈log₂N⌉ − 1, `peers` of them a round.
 * - `ring`: i sends to i + 1, with two peers also to i − 1.
 * - `random`: each node's peers are drawn anew each round; how many it hears from differs.
 */
export function neighboursOf(
  rank: Rank,
  { graph, round, worldSize, random, ...given }: PushRound,
): Neighbours {
  if (worldSize === 1) return { out: [], in: [] };
  const peers = peersAmong(worldSize, { graph, ...given });
  if (graph === "random") {
    const targets = drawTargets(random.derive("pushTargets", round), worldSize, peers);
    const sources = targets.flatMap((chosen, source) => (chosen.includes(rank) ? [source] : []));
    return { out: targets[rank]!, in: sources };
  }
  const turn = (peer: number): number => (round * peers + peer) % exponents(worldSize);
  const offsets = Array.from({ length: peers }, (_, peer) =>
    graph === "ring" ? (peer === 0 ? 1 : worldSize - 1) : 2 ** turn(peer),
  );
  return {
    out: offsets.map((offset) => (rank + offset) % worldSize),
    in: offsets.map((offset) => (rank - offset + worldSize) % worldSize),
  };
}

/** ⌈log₂N⌉: how many powers of two are less than N. */
const exponents = (worldSize: number): number => Math.ceil(Math.log2(worldSize));

/** For each node so many others, drawn without repetition in the order of ranks. */
function drawTargets(random: Random, worldSize: number, peers: number): readonly (readonly Rank[])[] {
  return Array.from({ length: worldSize }, (_, source) => {
    const chosen: Rank[] = [];
    while (chosen.length < peers) {
      const drawn = random.integer(worldSize - 1);
      const target = drawn < source ? drawn : drawn + 1;
      if (!chosen.includes(target)) chosen.push(target);
    }
    return chosen;
  });
}
