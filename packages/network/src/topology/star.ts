// Node 0 is the hub and shares a link with every other node; traffic between two others goes through it and takes the
// hub's own capacity.

import type { Rank } from "@atoll/core";
import type { LinkTable } from "../link.ts";
import type { Topology } from "./topology.ts";

/** The rank of a star's hub. */
export const STAR_HUB: Rank = 0;

export function star(table: LinkTable): Topology {
  const { worldSize } = table;
  const adjacent = (source: Rank, target: Rank): boolean =>
    source !== target && (source === STAR_HUB || target === STAR_HUB);
  return {
    name: "star",
    worldSize,
    link: (source, target) => (adjacent(source, target) ? table.link(source, target) : undefined),
    route(source, target) {
      if (source === target) return [];
      if (adjacent(source, target)) return [table.link(source, target)];
      return [table.link(source, STAR_HUB), table.link(STAR_HUB, target)];
    },
    *neighbours(rank) {
      if (rank !== STAR_HUB) yield STAR_HUB;
      else for (let other = 1; other < worldSize; other++) yield other;
    },
    *links() {
      for (let rank = 1; rank < worldSize; rank++) yield table.link(STAR_HUB, rank);
    },
  };
}
