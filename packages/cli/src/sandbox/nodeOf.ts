// The node that someone means on the command line.

import { rankOf, type Sandbox, type SandboxNode } from "@atoll/cluster";
import { ConfigError } from "@atoll/core";

export function nodeOf({ name, nodes }: Sandbox, called: string): SandboxNode {
  const rank = rankOf(name, nodes.length, called);
  const node = nodes.find((candidate) => candidate.rank === rank);
  if (node) return node;
  throw new ConfigError(
    `Node "${called}": expected a rank (0 to ${nodes.length - 1}), node1 to node${nodes.length}, master, worker1 … or a container's name. See npx atoll sandbox status.`,
  );
}
