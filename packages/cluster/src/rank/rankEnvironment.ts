// Who a rank is and where it meets the others, as environment variables: the same names on every engine, so that one
// command runs on all nodes. Written by the launchers; read by `atoll node`, which also understands what torchrun,
// SkyPilot, Slurm and Kubernetes set by themselves (rankSources.ts).

export interface RankEnvironment {
  /** 0 to worldSize − 1. */
  readonly rank: number;
  readonly worldSize: number;
  /** Among the ranks of its node. */
  readonly localRank: number;
  readonly nodeIndex: number;
  readonly numNodes: number;
  /** Where rank 0 waits for the others. */
  readonly masterAddress: string;
  readonly masterPort: number;
  /** One for each node, in order; empty if the engine does not tell. */
  readonly nodeAddresses: readonly string[];
  readonly gpusPerNode: number;
  readonly runId?: string | undefined;
  /** By which the run's ranks know each other. */
  readonly token?: string | undefined;
}

/** PyTorch's default, and so everyone's. */
export const MASTER_PORT = 29_500;

/** The variables by which `readRankEnvironment` gives the same back. */
export function writeRankEnvironment(environment: RankEnvironment): Readonly<Record<string, string>> {
  const { masterAddress, masterPort, runId, token } = environment;
  return {
    RANK: String(environment.rank),
    WORLD_SIZE: String(environment.worldSize),
    LOCAL_RANK: String(environment.localRank),
    NODE_INDEX: String(environment.nodeIndex),
    NUM_NODES: String(environment.numNodes),
    MASTER_ADDR: masterAddress,
    MASTER_PORT: String(masterPort),
    DIST_URL: distUrl(masterAddress, masterPort),
    SKYPILOT_NODE_RANK: String(environment.nodeIndex),
    SKYPILOT_NODE_IPS: environment.nodeAddresses.join("\n"),
    SKYPILOT_NUM_NODES: String(environment.numNodes),
    SKYPILOT_NUM_GPUS_PER_NODE: String(environment.gpusPerNode),
    ...(runId === undefined ? {} : { SKYPILOT_TASK_ID: runId, ATOLL_RUN_ID: runId }),
    ...(token === undefined ? {} : { ATOLL_TOKEN: token }),
  };
}

/** An IPv6 address goes into brackets. */
export const distUrl = (address: string, port: number): string =>
  `tcp://${address.includes(":") ? `[${address}]` : address}:${port}`;
