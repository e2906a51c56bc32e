// Node r shares a link with r − 1 and r + 1, modulo the world size. Others are reached the shorter way round; where both
// are equally long, upwards.

import type { Rank } from "@atoll/core";
import type { LinkTable } from "../link.ts";
import type { Topology } from "./topology.ts";

export function ring(table: LinkTable): Topology {
  const { worldSize } = table;
  const upward = (source: Rank, target: Rank): number => (target - source + worldSize) % worldSize;
  return {
    name: "ring",
    worldSize,
    link(source, target) {
      const distance = upward(source, target);
      return distance !== 0 && (distance === 1 || distance === worldSize - 1)
        ? table.link(source, target)
        : undefined;
    },
    route(source, target) {
      const distance = upward(source, target);
      const step = 2 * distance <= worldSize ? 1 : -1;
      const hops = step === 1 ? distance : worldSize - distance;
      return Array.from({ length: hops }, (_, hop) => {
        const from = (source + step * hop + worldSize) % worldSize;
        return table.link(from, (from + step + worldSize) % worldSize);
      });
    },
    neighbours: (rank) =>
      Array.from(new Set([(rank - 1 + worldSize) % worldSize, (rank + 1) % worldSize]))
        .filter((other) => other !== rank)
        .sort((a, b) => a - b),
    *links() {
      for (let rank = 0; rank + 1 < worldSize; rank++) yield table.link(rank, rank + 1);
      if (worldSize > 2) yield table.link(0, worldSize - 1);
    },
  };
}
