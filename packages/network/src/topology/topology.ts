// A topology says which nodes share a link and over which links the others reach each other.

import type { Rank } from "@atoll/core";
import type { Link, LinkTable } from "../link.ts";

export type TopologyName = "fully_connected" | "ring" | "star" | "tree" | "torus" | "islands" | "custom";

export interface Topology {
  readonly name: TopologyName;
  readonly worldSize: number;
  /** The link from source to target, if they share one. */
  link(source: Rank, target: Rank): Link | undefined;
  /** The links of the shortest path, in order; of two equally short ones always the same. Empty from a node to itself. */
  route(source: Rank, target: Rank): readonly Link[];
  /** The nodes that share a link with a node, ascending. */
  neighbours(rank: Rank): Iterable<Rank>;
  /** The island of a node, where the topology has islands. */
  island?(rank: Rank): number;
  /** Every duplex link once, from its lower to its higher rank. */
  links(): Iterable<Link>;
}

/** The links from each node of a list to the next. */
export const chain = (table: LinkTable, nodes: readonly Rank[]): readonly Link[] =>
  nodes.slice(1).map((node, i) => table.link(nodes[i]!, node));
