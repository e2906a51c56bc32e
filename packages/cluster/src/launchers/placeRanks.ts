// Which rank goes to which node: in the order of the nodes, as many to each as it has slots. The first node is the master.

import type { JobSpec } from "../launcher.ts";
import type { RankEnvironment } from "../rank/rankEnvironment.ts";

export interface NodePlace {
  /** By which the other nodes reach it. */
  readonly address: string;
  /** Better than the address, where names resolve. */
  readonly hostName?: string;
  /** Ranks on it. */
  readonly slots: number;
  readonly gpus: number;
}

export interface PlacedRank<N> {
  readonly node: N;
  readonly environment: RankEnvironment;
}

export function placeRanks<N extends NodePlace>(
  nodes: readonly N[],
  { runId, token, masterPort }: Pick<JobSpec, "runId" | "token" | "masterPort">,
): readonly PlacedRank<N>[] {
  const worldSize = nodes.reduce((sum, { slots }) => sum + slots, 0);
  const shared = {
    worldSize,
    numNodes: nodes.length,
    masterAddress: nodes[0]?.hostName ?? nodes[0]?.address ?? "",
    masterPort,
    nodeAddresses: nodes.map(({ address }) => address),
    runId,
    token,
  };
  let rank = 0;
  return nodes.flatMap((node, nodeIndex) =>
    Array.from({ length: node.slots }, (_, localRank) => ({
      node,
      environment: { ...shared, rank: rank++, localRank, nodeIndex, gpusPerNode: node.gpus },
    })),
  );
}
