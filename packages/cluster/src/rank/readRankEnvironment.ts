// Reads the rank environment that some engine has set, and refuses one that contradicts itself: a run with a wrong world
// size hangs, which is worse than a message.

import { ConfigError } from "@atoll/core";
import { distUrl, MASTER_PORT, type RankEnvironment } from "./rankEnvironment.ts";
import { type RankSource, rankSources } from "./rankSources.ts";
import { type Variables, variablesOf } from "./variables.ts";

/**
 * The rank that this environment describes; undefined if it describes none.
 *
 * The first of these that is set decides: `RANK` (Atoll, torchrun), `SKYPILOT_NODE_RANK`, `SLURM_PROCID`,
 * `JOB_COMPLETION_INDEX` (Kubernetes). `MASTER_ADDR` and `MASTER_PORT` hold for all of them.
 *
 * @throws ConfigError values that are missing, no numbers, or contradict each other
 */
export function readRankEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): RankEnvironment | undefined {
  const variables = variablesOf(environment);
  const source = rankSources.find(({ rank }) => variables.has(rank));
  if (source === undefined) {
    if (!variables.has("WORLD_SIZE")) return undefined;
    throw new ConfigError(
      `WORLD_SIZE is set and no rank is: expected one of ${rankSources.map(({ rank }) => rank).join(", ")}. Set RANK, or unset WORLD_SIZE.`,
    );
  }
  const read = fromSource(source, variables);
  refuseContradictions(read, variables);
  return read;
}

function fromSource(source: RankSource, variables: Variables): RankEnvironment {
  const worldSize = variables.required(source.worldSize, source.rank, source.worldSizeRemedy).wholeFrom(1);
  const rank = variables.required([source.rank], source.rank).wholeFrom(0);
  if (rank >= worldSize)
    throw new ConfigError(
      `${source.rank}: expected a rank from 0 to ${worldSize - 1}, since ${variables.nameOf(source.worldSize)} is ${worldSize}, got ${rank}. Both come from whoever started this process.`,
    );
  const whole = (names: readonly string[], from: number): number | undefined =>
    variables.first(names)?.wholeFrom(from);
  const addresses = source.nodeAddresses(variables);
  const localWorldSize = whole(["LOCAL_WORLD_SIZE"], 1);
  const byNode = localWorldSize ?? 1;
  const [masterAddress, masterPort] = masterOf(source, variables, addresses, worldSize);
  return {
    rank,
    worldSize,
    localRank: whole(source.localRank, 0) ?? 0,
    nodeIndex: whole(source.nodeIndex, 0) ?? Math.floor(rank / byNode),
    numNodes: whole(source.numNodes, 1) ?? Math.ceil(worldSize / byNode),
    masterAddress,
    masterPort,
    nodeAddresses: addresses,
    gpusPerNode: whole(["SKYPILOT_NUM_GPUS_PER_NODE", "SLURM_GPUS_ON_NODE"], 0) ?? 0,
    runId: variables.first(["ATOLL_RUN_ID", ...source.runId])?.text,
    token: variables.first(["ATOLL_TOKEN"])?.text,
  };
}

function masterOf(
  source: RankSource,
  variables: Variables,
  addresses: readonly string[],
  worldSize: number,
): readonly [address: string, port: number] {
  const port = variables.first(["MASTER_PORT"])?.port() ?? MASTER_PORT;
  const stated = variables.first(["MASTER_ADDR"])?.text ?? addresses[0];
  if (stated !== undefined) return [stated, port];
  if (worldSize === 1) return ["127.0.0.1", port];
  throw new ConfigError(
    `${source.rank} is set and MASTER_ADDR is not: expected the address of rank 0, where ${worldSize} ranks meet. ${source.masterRemedy}`,
  );
}

function refuseContradictions(read: RankEnvironment, variables: Variables): void {
  const { nodeIndex, numNodes, worldSize, nodeAddresses } = read;
  const refuse = (what: string): never => {
    throw new ConfigError(
      `${what}. They contradict each other: unset the one that is left over from another job.`,
    );
  };
  for (const [ours, skyPilots] of [
    ["NODE_INDEX", "SKYPILOT_NODE_RANK"],
    ["NUM_NODES", "SKYPILOT_NUM_NODES"],
  ] as const) {
    const [a, b] = [variables.first([ours]), variables.first([skyPilots])];
    if (a && b && a.wholeFrom(0) !== b.wholeFrom(0))
      refuse(`${ours} is ${a.text} and ${skyPilots} is ${b.text}`);
  }
  if (nodeIndex >= numNodes) refuse(`The node's index is ${nodeIndex}, and there are ${numNodes} nodes`);
  if (numNodes > worldSize)
    refuse(`There are ${numNodes} nodes and ${worldSize} ranks, fewer than one a node`);
  if (nodeAddresses.length > 0 && nodeAddresses.length !== numNodes)
    refuse(`There are ${numNodes} nodes and ${nodeAddresses.length} addresses of nodes`);
  const url = variables.first(["DIST_URL"])?.text;
  if (
    url !== undefined &&
    variables.has("MASTER_ADDR") &&
    url !== distUrl(read.masterAddress, read.masterPort)
  )
    refuse(`DIST_URL is ${url}, MASTER_ADDR is ${read.masterAddress} and the port ${read.masterPort}`);
}
