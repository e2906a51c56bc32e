// Where the nodes of a drawn topology stand: on a circle, or around the hub of a star.

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
