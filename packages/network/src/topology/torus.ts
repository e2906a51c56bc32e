// A torus: nodes on a grid of any number of dimensions that is closed in each; a node shares a link with its two neighbours
// along each dimension. Others are reached one dimension after another, each the shorter way round (upwards if equal).

import type { Rank } from "@atoll/core";
import type { Link, LinkTable } from "../link.ts";
import { chain, type Topology } from "./topology.ts";

/** The two factors of a number that are nearest to each other, the smaller first. */
export function squarest(worldSize: number): readonly [number, number] {
  let rows = Math.floor(Math.sqrt(worldSize));
  while (worldSize % rows !== 0) rows--;
  return [rows, worldSize / rows];
}

/** @param dimensions their product is the number of nodes; rank 1 is the neighbour of rank 0 along the last one */
export function torus(table: LinkTable, dimensions: readonly number[]): Topology {
  const { worldSize } = table;
  const strides = dimensions.map((_, axis) =>
    dimensions.slice(axis + 1).reduce((product, size) => product * size, 1),
  );
  const coordinate = (rank: Rank, axis: number): number =>
    Math.floor(rank / strides[axis]!) % dimensions[axis]!;
  const moved = (rank: Rank, axis: number, to: number): Rank =>
    rank + (to - coordinate(rank, axis)) * strides[axis]!;
  const nodesBetween = (source: Rank, target: Rank): readonly Rank[] => {
    const nodes = [source];
    for (const [axis, size] of dimensions.entries()) {
      const distance = (coordinate(target, axis) - coordinate(source, axis) + size) % size;
      const step = 2 * distance <= size ? 1 : size - 1;
      while (coordinate(nodes.at(-1)!, axis) !== coordinate(target, axis)) {
        const last = nodes.at(-1)!;
        nodes.push(moved(last, axis, (coordinate(last, axis) + step) % size));
      }
    }
    return nodes;
  };
  return {
    name: "torus",
    worldSize,
    link: (source, target) =>
      nodesBetween(source, target).length === 2 ? table.link(source, target) : undefined,
    route: (source, target) => chain(table, nodesBetween(source, target)),
    neighbours(rank) {
      const others = dimensions.flatMap((size, axis) =>
        [1, size - 1].map((step) => moved(rank, axis, (coordinate(rank, axis) + step) % size)),
      );
      return [...new Set(others)].filter((other) => other !== rank).sort((a, b) => a - b);
    },
    *links(): Iterable<Link> {
      for (let rank = 0; rank < worldSize; rank++)
        for (const [axis, size] of dimensions.entries()) {
          const at = coordinate(rank, axis);
          if (at + 1 < size) yield table.link(rank, moved(rank, axis, at + 1));
          if (at === 0 && size > 2) yield table.link(rank, moved(rank, axis, size - 1));
        }
    },
  };
}
