// Every two nodes share a link.

import type { LinkTable } from "../link.ts";
import type { Topology } from "./topology.ts";

export function fullyConnected(table: LinkTable): Topology {
  const { worldSize } = table;
  return {
    name: "fully_connected",
    worldSize,
    link: (source, target) => (source === target ? undefined : table.link(source, target)),
    route: (source, target) => (source === target ? [] : [table.link(source, target)]),
    *neighbours(rank) {
      for (let other = 0; other < worldSize; other++) if (other !== rank) yield other;
    },
    *links() {
      for (let source = 0; source < worldSize; source++)
        for (let target = source + 1; target < worldSize; target++) yield table.link(source, target);
    },
  };
}
