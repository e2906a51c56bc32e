// Any graph, given by its edges. Routes have the fewest links; of several such the one over the lowest ranks, seen from the
// source on. They are found by breadth-first search from the target, once for each target that is asked for.

import { ConfigError, type Rank } from "@atoll/core";
import type { LinkTable } from "../link.ts";
import { listed } from "../listed.ts";
import { chain, type Topology } from "./topology.ts";

export type Edge = readonly [Rank, Rank];

const UNSEEN = -1;

/** @throws ConfigError if an edge is none between two nodes, or some node cannot be reached */
export function custom(table: LinkTable, edges: readonly Edge[]): Topology {
  const { worldSize } = table;
  const neighbours = adjacency(edges, worldSize);
  const towards = new Map<Rank, Int32Array>();
  const hopsTo = (target: Rank): Int32Array => {
    let next = towards.get(target);
    if (next === undefined) {
      next = nextHops(neighbours, target);
      towards.set(target, next);
    }
    return next;
  };
  const lost = Array.from(hopsTo(0).entries()).flatMap(([rank, next]) => (next === UNSEEN ? [rank] : []));
  if (lost.length > 0)
    throw new ConfigError(
      `Option "network.edges": no way from node 0 to ${listed("node", lost)}. Add an edge that joins them.`,
    );
  return {
    name: "custom",
    worldSize,
    link: (source, target) => (neighbours[source]!.includes(target) ? table.link(source, target) : undefined),
    route(source, target) {
      const next = hopsTo(target);
      const nodes = [source];
      while (nodes.at(-1) !== target) nodes.push(next[nodes.at(-1)!]!);
      return chain(table, nodes);
    },
    neighbours: (rank) => neighbours[rank]!,
    *links() {
      for (const [source, others] of neighbours.entries())
        for (const target of others) if (source < target) yield table.link(source, target);
    },
  };
}

/** The neighbours of each node, ascending. */
function adjacency(edges: readonly Edge[], worldSize: number): readonly (readonly Rank[])[] {
  const sets = Array.from({ length: worldSize }, () => new Set<Rank>());
  const known = (rank: unknown): boolean =>
    Number.isInteger(rank) && Number(rank) >= 0 && Number(rank) < worldSize;
  for (const edge of edges) {
    const [a, b] = edge;
    if (edge.length !== 2 || !known(a) || !known(b) || a === b)
      throw new ConfigError(
        `Option "network.edges": expected pairs of two different nodes from 0 to ${worldSize - 1}, got ${JSON.stringify(edge)}.`,
      );
    sets[a]!.add(b);
    sets[b]!.add(a);
  }
  return sets.map((set) => [...set].sort((a, b) => a - b));
}

/** For each node the next one on its way to `target`; itself for the target. */
function nextHops(neighbours: readonly (readonly Rank[])[], target: Rank): Int32Array {
  const distance = new Int32Array(neighbours.length).fill(UNSEEN);
  const next = new Int32Array(neighbours.length).fill(UNSEEN);
  distance[target] = 0;
  next[target] = target;
  const queue = [target];
  for (const node of queue)
    for (const other of neighbours[node]!) {
      if (distance[other] !== UNSEEN) continue;
      distance[other] = distance[node]! + 1;
      queue.push(other);
    }
  for (const [node, others] of neighbours.entries())
    if (distance[node]! > 0) next[node] = others.find((other) => distance[other] === distance[node]! - 1)!;
  return next;
}
