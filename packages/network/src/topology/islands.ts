// Islands: every two nodes share a link, which is of one kind inside an island and of another between islands (the link
// table knows the two kinds). Islands are runs of ranks; the last may be smaller.

import type { Rank } from "@atoll/core";
import type { LinkTable } from "../link.ts";
import { fullyConnected } from "./fullyConnected.ts";
import type { Topology } from "./topology.ts";

export const islandOf = (rank: Rank, islandSize: number): number => Math.floor(rank / islandSize);

export function islands(table: LinkTable, islandSize: number): Topology {
  return { ...fullyConnected(table), name: "islands", island: (rank) => islandOf(rank, islandSize) };
}
