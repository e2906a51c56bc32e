// Which rank of a run this process is and where it meets the others: by flags, by the rank environment that an engine has
// set, or by the process that started it.

import { MASTER_PORT, type RankEnvironment, readRankEnvironment } from "@atoll/cluster/rank";
import { ConfigError } from "@atoll/core";
import { numberOf } from "../numberFlag.ts";

export interface RankPlace {
  readonly rank: number;
  readonly worldSize: number;
  readonly master: { readonly host: string; readonly port: number };
  /** Where this rank listens for the others. */
  readonly listenHost: string;
  readonly runId: string;
  /** By which the run's ranks know each other; empty if there is none. */
  readonly token: string;
  /** Whether the machine is shared with other ranks of the run. */
  readonly sharesMachine: boolean;
}

/** Flags by name, as `node` takes them. */
export type RankFlags = Readonly<Record<string, string | boolean | undefined>>;

/** torchrun's names; a flag may be written with dashes, too. */
export const rankFlags = {
  "master-addr": { type: "string" },
  "master-port": { type: "string" },
  nnodes: { type: "string" },
  "node-rank": { type: "string" },
  "listen-host": { type: "string" },
} as const;

/** `--master_addr` is `--master-addr`. */
export const withDashes = (argument: string): string =>
  argument.replace(/^--[^=]+/, (name) => name.replaceAll("_", "-"));

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where a rank is by its flags, and by the rank environment in what they leave open.
 * @throws ConfigError that says what is missing
 */
export function placeOf(flags: RankFlags, environment: Environment): RankPlace {
  const text = (name: keyof typeof rankFlags): string | undefined => flags[name] as string | undefined;
  const number = (name: keyof typeof rankFlags, least: number, most?: number): number | undefined =>
    numberOf(`--${name.replaceAll("-", "_")}`, text(name), { least, whole: true, ...(most && { most }) });
  const given = {
    rank: number("node-rank", 0),
    worldSize: number("nnodes", 1),
    port: number("master-port", 1, 65_535),
    host: text("master-addr"),
  };
  const isWhole = given.rank !== undefined && given.worldSize !== undefined && given.host !== undefined;
  const read = isWhole ? undefined : readRankEnvironment(environment);
  const rank = given.rank ?? read?.rank;
  const worldSize = given.worldSize ?? read?.worldSize;
  const host = given.host ?? read?.masterAddress ?? (worldSize === 1 ? "127.0.0.1" : undefined);
  if (rank === undefined || worldSize === undefined || host === undefined)
    throw new ConfigError(
      `Expected ${missing({ rank, worldSize, host }).join(", ")}, got nothing. Give the flags, or set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.`,
    );
  if (rank >= worldSize)
    throw new ConfigError(
      `Flag "--node_rank": expected a rank from 0 to ${worldSize - 1} (--nnodes is ${worldSize}), got ${rank}.`,
    );
  const port = given.port ?? read?.masterPort ?? MASTER_PORT;
  const listenHost = text("listen-host");
  const place = {
    rank,
    worldSize,
    master: { host, port },
    ...meeting(host, environment, read),
    ...(listenHost === undefined ? {} : { listenHost }),
  };
  refuseStrangers(place);
  return place;
}

/** @throws ConfigError if whoever reaches the ranks' ports could join the run */
function refuseStrangers({ worldSize, master, listenHost, token }: RankPlace): void {
  const beyond = [master.host, listenHost].find((host) => !isLoopback(host));
  if (token !== "" || worldSize === 1 || beyond === undefined) return;
  throw new ConfigError(
    `ATOLL_TOKEN: expected a secret that is the same on all ranks, since they listen beyond this machine (${beyond}), where anyone could join, got nothing. Make one by export ATOLL_TOKEN=$(openssl rand -hex 32) and start every rank with it (srun passes it on; torchrun: on each node; Kubernetes: env, from a Secret; SkyPilot: --secret ATOLL_TOKEN), or use npx atoll launch, which makes its own.`,
  );
}

function missing({ rank, worldSize, host }: Readonly<Record<string, unknown>>): readonly string[] {
  return [
    ...(rank === undefined ? ["--node_rank"] : []),
    ...(worldSize === undefined ? ["--nnodes"] : []),
    ...(host === undefined ? ["--master_addr"] : []),
  ];
}

/**
 * The place that `RANK` and `WORLD_SIZE` give any command, if there are several ranks: a launcher starts the same command on
 * every node. Other engines' names serve `atoll node` only, since they are set around commands that are no ranks, too.
 */
export function placeOfLauncher(environment: Environment): RankPlace | undefined {
  if (!environment.RANK || Number(environment.WORLD_SIZE ?? "1") === 1) return undefined;
  return placeOf({}, environment);
}

function meeting(
  host: string,
  environment: Environment,
  read: RankEnvironment | undefined,
): Pick<RankPlace, "listenHost" | "runId" | "token" | "sharesMachine"> {
  const isLocal = isLoopback(host);
  return {
    listenHost: isLocal ? "127.0.0.1" : "0.0.0.0",
    runId: read?.runId ?? environment.ATOLL_RUN_ID ?? "atoll",
    token: read?.token ?? environment.ATOLL_TOKEN ?? "",
    sharesMachine: read === undefined ? isLocal : read.worldSize > read.numNodes || isLocal,
  };
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\./.test(host);
