// A binary tree: node r shares a link with its parent ⌊(r − 1)/2⌋. Others are reached over their nearest common ancestor.

import type { Rank } from "@atoll/core";
import type { LinkTable } from "../link.ts";
import { chain, type Topology } from "./topology.ts";

const parentOf = (rank: Rank): Rank => (rank - 1) >> 1;

export function tree(table: LinkTable): Topology {
  const { worldSize } = table;
  const adjacent = (source: Rank, target: Rank): boolean =>
    (source > 0 && parentOf(source) === target) || (target > 0 && parentOf(target) === source);
  return {
    name: "tree",
    worldSize,
    link: (source, target) => (adjacent(source, target) ? table.link(source, target) : undefined),
    route(source, target) {
      const up = [source];
      const down = [target];
      // The larger number is never nearer to the root, so it is the one to climb.
      while (up.at(-1) !== down.at(-1)) {
        if (up.at(-1)! > down.at(-1)!) up.push(parentOf(up.at(-1)!));
        else down.push(parentOf(down.at(-1)!));
      }
      return chain(table, [...up, ...down.reverse().slice(1)]);
    },
    neighbours: (rank) =>
      [...(rank > 0 ? [parentOf(rank)] : []), 2 * rank + 1, 2 * rank + 2].filter(
        (other) => other < worldSize,
      ),
    *links() {
      for (let rank = 1; rank < worldSize; rank++) yield table.link(parentOf(rank), rank);
    },
  };
}
