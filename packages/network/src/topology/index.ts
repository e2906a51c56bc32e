// The topologies by name.

import { unknownName } from "@atoll/core";
import type { LinkTable } from "../link.ts";
import { fullyConnected } from "./fullyConnected.ts";
import { ring } from "./ring.ts";
import { star } from "./star.ts";
import type { Topology, TopologyName } from "./topology.ts";

const TOPOLOGIES: Readonly<Record<TopologyName, (table: LinkTable) => Topology>> = {
  fully_connected: fullyConnected,
  ring,
  star,
};

export const TOPOLOGY_NAMES: readonly TopologyName[] = Object.keys(TOPOLOGIES) as TopologyName[];

/** @throws ConfigError for an unknown name */
export function createTopology(name: TopologyName, table: LinkTable): Topology {
  if (!Object.hasOwn(TOPOLOGIES, name)) throw unknownName("topology", name, TOPOLOGY_NAMES);
  return TOPOLOGIES[name](table);
}
