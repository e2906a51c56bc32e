// Where the nodes of a drawn topology stand: around the hub of a star, island by island, level by level in a tree, on the grid of
// a torus; those of any other on a circle.

export interface Place {
  readonly x: number;
  readonly y: number;
}

/** The node that every link has at one end, if there is exactly one; stars have it. */
export function hubOf(
  nodes: number,
  links: readonly { readonly source: number; readonly target: number }[],
): number | null {
  if (nodes < 3 || links.length === 0) return null;
  const { source, target } = links[0]!;
  const hubs = [source, target].filter((rank) =>
    links.every((link) => link.source === rank || link.target === rank),
  );
  return hubs.length === 1 ? hubs[0]! : null;
}

/** Places in the unit circle, rank 0 at the top and the others clockwise; a hub stands in the centre. */
export function circleLayout(nodes: number, hub: number | null): readonly Place[] {
  const around = hub === null ? nodes : nodes - 1;
  if (nodes === 1) return [{ x: 0, y: 0 }];
  return Array.from({ length: nodes }, (_, rank) => {
    if (rank === hub) return { x: 0, y: 0 };
    const turn = (hub !== null && rank > hub ? rank - 1 : rank) / around;
    // Two nodes stand side by side, so that the label of their link lies along the text.
    const angle = 2 * Math.PI * turn - (around === 2 ? Math.PI : Math.PI / 2);
    return { x: Math.cos(angle), y: Math.sin(angle) };
  });
}

/** A topology and what decides its form. */
export interface NetworkShape {
  readonly name: string;
  readonly nodes: number;
  /** Of islands; the last may be smaller. */
  readonly islandSize: number | null;
  /** Of a torus; rank 1 is the neighbour of rank 0 along the last one. */
  readonly dimensions: readonly number[] | null;
}

/** Places in the square from −1 to 1, in rank order. */
export function placesOf(
  shape: NetworkShape,
  links: readonly { readonly source: number; readonly target: number }[],
): readonly Place[] {
  const { name, nodes, islandSize, dimensions } = shape;
  if (name === "islands" && islandSize !== null && nodes > islandSize) return islandLayout(nodes, islandSize);
  if (name === "tree" && nodes > 2) return treeLayout(nodes);
  if (name === "torus" && dimensions?.length === 2 && Math.min(...dimensions) > 1)
    return gridLayout(dimensions);
  return circleLayout(nodes, hubOf(nodes, links));
}

/** Islands stand on a circle, and the nodes of each on a small one of its own. */
export function islandLayout(nodes: number, islandSize: number): readonly Place[] {
  const islands = Math.ceil(nodes / islandSize);
  const centres = circleLayout(islands, null);
  const radius = islandRadius(islands);
  return Array.from({ length: nodes }, (_, rank) => {
    const island = Math.floor(rank / islandSize);
    const members = Math.min(islandSize, nodes - island * islandSize);
    const own = circleLayout(members, null)[rank - island * islandSize]!;
    const centre = centres[island]!;
    // The small circles lie inside of the unit circle.
    const scale = 1 - radius;
    return { x: centre.x * scale + own.x * radius, y: centre.y * scale + own.y * radius };
  });
}

/** As large as leaves a gap between neighbours. */
const islandRadius = (islands: number): number => {
  const half = Math.sin(Math.PI / islands) / 2;
  return islands === 1 ? 1 : half / (1 + half);
};

/** Node r stands below its parent ⌊(r − 1)/2⌋; levels are rows. */
export function treeLayout(nodes: number): readonly Place[] {
  const levels = Math.floor(Math.log2(nodes)) + 1;
  return Array.from({ length: nodes }, (_, rank) => {
    const level = Math.floor(Math.log2(rank + 1));
    const across = (rank + 1 - 2 ** level + 0.5) / 2 ** level;
    return { x: 2 * across - 1, y: (2 * level) / Math.max(1, levels - 1) - 1 };
  });
}

/** [rows, columns], row by row. */
export function gridLayout(dimensions: readonly number[]): readonly Place[] {
  const [rows = 1, columns = 1] = dimensions;
  const pitch = 2 / Math.max(1, Math.max(rows, columns) - 1);
  return Array.from({ length: rows * columns }, (_, rank) => ({
    x: ((rank % columns) - (columns - 1) / 2) * pitch,
    y: (Math.floor(rank / columns) - (rows - 1) / 2) * pitch,
  }));
}
