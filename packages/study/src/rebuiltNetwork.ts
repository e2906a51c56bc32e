// The network of a recorded run, made again from its resolved config and seed: for routes, and for links that events leave out
// above 64 nodes. Links that a run recorded are the run's own; these are the same unless the version that drew them was another.

import { type ConfigTree, createRandom } from "@atoll/core";
import { type NetworkOptions, resolveNetwork, type Topology } from "@atoll/network";
import { type Run, treeOf } from "./run.ts";

/** Bytes per second that a node can send and receive. */
export interface NicCapacity {
  readonly up: number;
  readonly down: number;
}

export interface RebuiltNetwork {
  readonly topology: Topology;
  readonly nic: NicCapacity;
}

/** What decides routes and drawn links. Traces are not among it: in their place stands the mean bandwidth. */
const OPTIONS = [
  "topology",
  "dimensions",
  "islandSize",
  "edges",
  "profile",
  "bandwidth",
  "latency",
  "jitter",
  "loss",
  "nic",
] as const;
const OF_LINKS = ["profile", "bandwidth", "latency", "jitter", "loss"] as const;

/** Null where the run says too little of its network, or what this version cannot read. */
export function rebuildNetwork({ started, settings }: Run): RebuiltNetwork | null {
  const network = treeOf(settings.network);
  if (started === null || network.topology === undefined) return null;
  const { between, links } = network;
  const options = {
    ...picked(network, OPTIONS),
    ...(between === undefined ? {} : { between: picked(treeOf(between), OF_LINKS) }),
    ...(Array.isArray(links)
      ? { links: links.map((link) => picked(treeOf(link), ["from", "to", "oneWay", ...OF_LINKS])) }
      : {}),
  };
  try {
    // Whatever the config holds, the network checks it.
    const { topology, config } = resolveNetwork(options as unknown as NetworkOptions, {
      worldSize: started.nodes,
      random: createRandom(started.seed).derive("network"),
    });
    return { topology, nic: nicOf(config) };
  } catch {
    // A config of another version, or one that was written by hand: the report goes without routes.
    return null;
  }
}

const picked = (tree: ConfigTree, names: readonly string[]): ConfigTree =>
  Object.fromEntries(names.flatMap((name) => (tree[name] === undefined ? [] : [[name, tree[name]]])));

function nicOf({ nic }: ConfigTree): NicCapacity {
  if (typeof nic === "number") return { up: nic, down: nic };
  const { up, down } = treeOf(nic);
  // JSON has no infinity: what is no number has no limit.
  const capacity = (value: unknown): number => (typeof value === "number" ? value : Number.POSITIVE_INFINITY);
  return { up: capacity(up), down: capacity(down) };
}
