// The topologies by name.

import { ConfigError, unknownName } from "@atoll/core";
import type { LinkTable } from "../link.ts";
import { custom, type Edge } from "./custom.ts";
import { fullyConnected } from "./fullyConnected.ts";
import { islands } from "./islands.ts";
import { ring } from "./ring.ts";
import { star } from "./star.ts";
import type { Topology, TopologyName } from "./topology.ts";
import { squarest, torus } from "./torus.ts";
import { tree } from "./tree.ts";

/** What some topologies take besides their name. */
export interface TopologyOptions {
  /** Of a torus; their product is the number of nodes. Default: two, as near to a square as the number allows. */
  readonly dimensions?: readonly number[] | undefined;
  /** Of islands: nodes in each but perhaps the last. Default: half the nodes, rounded up. */
  readonly islandSize?: number | undefined;
  /** Of a custom topology: pairs of nodes that share a link. */
  readonly edges?: readonly Edge[] | undefined;
}

/** A topology with all that it takes. */
export type TopologyChoice =
  | { readonly name: "fully_connected" | "ring" | "star" | "tree" }
  | { readonly name: "torus"; readonly dimensions: readonly number[] }
  | { readonly name: "islands"; readonly islandSize: number }
  | { readonly name: "custom"; readonly edges: readonly Edge[] };

/** Which of the options each topology takes. */
const TAKES: Readonly<Record<TopologyName, keyof TopologyOptions | undefined>> = {
  fully_connected: undefined,
  ring: undefined,
  star: undefined,
  tree: undefined,
  torus: "dimensions",
  islands: "islandSize",
  custom: "edges",
};

export const TOPOLOGY_NAMES: readonly TopologyName[] = Object.keys(TAKES) as TopologyName[];

/** @throws ConfigError for an unknown name, an option of another topology, or a value that does not fit the world */
export function chooseTopology(
  name: TopologyName,
  options: TopologyOptions,
  worldSize: number,
): TopologyChoice {
  if (!Object.hasOwn(TAKES, name)) throw unknownName("topology", name, TOPOLOGY_NAMES);
  for (const option of ["dimensions", "islandSize", "edges"] as const)
    if (options[option] !== undefined && TAKES[name] !== option)
      throw new ConfigError(
        `Option "network.${option}" does not go with the topology ${name}. Leave it out.`,
      );
  switch (name) {
    case "torus":
      return { name, dimensions: checkedDimensions(options.dimensions ?? squarest(worldSize), worldSize) };
    case "islands":
      return {
        name,
        islandSize: checkedIslandSize(options.islandSize ?? Math.ceil(worldSize / 2), worldSize),
      };
    case "custom":
      if (options.edges === undefined)
        throw new ConfigError(
          'The topology custom needs the option "network.edges", such as [[0, 1], [1, 2]].',
        );
      return { name, edges: options.edges };
    default:
      return { name };
  }
}

function checkedDimensions(dimensions: readonly number[], worldSize: number): readonly number[] {
  const product = dimensions.reduce((total, size) => total * size, 1);
  if (dimensions.every((size) => Number.isInteger(size) && size > 0) && product === worldSize)
    return dimensions;
  throw new ConfigError(
    `Option "network.dimensions": expected whole numbers whose product is the number of nodes, ${worldSize}, got ${JSON.stringify(dimensions)}.`,
  );
}

function checkedIslandSize(islandSize: number, worldSize: number): number {
  if (Number.isInteger(islandSize) && islandSize > 0 && islandSize <= worldSize) return islandSize;
  throw new ConfigError(
    `Option "network.islandSize": expected a whole number from 1 to the number of nodes, ${worldSize}, got ${JSON.stringify(islandSize)}.`,
  );
}

export function createTopology(choice: TopologyChoice, table: LinkTable): Topology {
  switch (choice.name) {
    case "fully_connected":
      return fullyConnected(table);
    case "ring":
      return ring(table);
    case "star":
      return star(table);
    case "tree":
      return tree(table);
    case "torus":
      return torus(table, choice.dimensions);
    case "islands":
      return islands(table, choice.islandSize);
    case "custom":
      return custom(table, choice.edges);
    default:
      return choice satisfies never;
  }
}
