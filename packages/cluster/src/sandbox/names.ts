// What a sandbox's parts are called. Nothing else is kept about a sandbox than its keys: which there are, the engine knows
// by the labels.

import { ConfigError } from "@atoll/core";

/** Labels of containers, networks and volumes; one of networks alone; and one of images, which docker/Dockerfile gives them. */
export const LABELS = {
  image: "atoll.image",
  sandbox: "atoll.sandbox",
  rank: "atoll.rank",
  port: "atoll.port",
  /** The directory that has the sandbox's keys. */
  state: "atoll.state",
} as const;

export const DEFAULT_NAME = "sandbox";

/** @throws ConfigError if it cannot be a part of a host's name. */
export function checkName(name: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) return name;
  throw new ConfigError(
    `Sandbox name "${name}": expected at most 32 lower-case letters, digits and inner dashes, since hosts are called by it. Example: --name wan-test.`,
  );
}

/** The container's name and its host name. Rank 0 is the master. */
export const containerName = (sandbox: string, rank: number): string => `atoll-${sandbox}-${rank}`;

export const networkName = (sandbox: string): string => `atoll-${sandbox}`;

/** Other names by which the nodes reach it: as in guides with three nodes, and as in those with master and workers. */
export const aliasesOf = (rank: number): readonly string[] => [
  `node${rank + 1}`,
  rank === 0 ? "master" : `worker${rank}`,
];

/** Everything that the nodes write and that outlives them. */
export const VOLUMES = { runs: "/atoll/runs", cache: "/home/atoll/.cache" } as const;
export type Volume = keyof typeof VOLUMES;

export const volumeName = (sandbox: string, volume: Volume): string => `atoll-${sandbox}-${volume}`;

/** The rank that someone means by 2, "node3", "worker2" or "atoll-sandbox-2"; undefined if none is called so. */
export function rankOf(sandbox: string, nodes: number, node: string): number | undefined {
  for (let rank = 0; rank < nodes; rank++)
    if ([String(rank), containerName(sandbox, rank), ...aliasesOf(rank)].includes(node)) return rank;
  return undefined;
}
