// Which sandboxes there are and how they are: read from the engine each time, by labels.

import { ConfigError, unknownName } from "@atoll/core";
import { z } from "zod";
import type { Engine, RunOptions } from "./engine.ts";
import { LABELS } from "./names.ts";

export interface SandboxNode {
  readonly rank: number;
  readonly container: string;
  /** The engine's words: "running", "exited", "paused" … */
  readonly state: string;
  /** "healthy" when jobs can be started on it. */
  readonly health: "starting" | "healthy" | "unhealthy" | "unknown";
  /** On the sandbox's network; empty while it does not run or is disconnected. */
  readonly address: string;
  /** Of 127.0.0.1, for ssh. */
  readonly port: number;
  readonly gpus: boolean;
}

/** How a node is, in a word: "healthy" if jobs can run on it and the others reach it. */
export function conditionOf({ state, health, address }: SandboxNode): string {
  if (state !== "running") return state;
  return address === "" ? "disconnected" : health;
}

export interface Sandbox {
  readonly name: string;
  readonly image: string;
  /** In the order of ranks. */
  readonly nodes: readonly SandboxNode[];
}

/** The part of `docker inspect` and `podman inspect` that is read. */
const inspected = z.array(
  z.object({
    Name: z.string(),
    State: z.object({
      Status: z.string(),
      Health: z.object({ Status: z.string() }).nullish(),
    }),
    Config: z.object({ Image: z.string(), Labels: z.record(z.string(), z.string()) }),
    HostConfig: z.object({ DeviceRequests: z.array(z.unknown()).nullish() }),
    NetworkSettings: z.object({
      Networks: z.record(z.string(), z.object({ IPAddress: z.string() })).nullish(),
    }),
  }),
);
type Inspected = z.infer<typeof inspected>[number];

/** All sandboxes of the engine, or those of one name: at most one then. Stopped containers belong to them, too. */
export async function listSandboxes(
  engine: Engine,
  name?: string,
  options?: RunOptions,
): Promise<readonly Sandbox[]> {
  const label = name === undefined ? LABELS.sandbox : `${LABELS.sandbox}=${name}`;
  const list = ["ps", "--all", "--quiet", "--no-trunc", "--filter", `label=${label}`];
  const ids = (await engine.run("list containers", list, options)).split("\n").filter((id) => id !== "");
  if (ids.length === 0) return [];
  // Containers that end in the same moment are no longer part of the answer.
  const tolerate = /no such (object|container)/i;
  const json = await engine.run("inspect containers", ["inspect", "--type", "container", ...ids], {
    ...options,
    tolerate,
  });
  const containers = inspected.parse(JSON.parse(json));
  const bySandbox = Map.groupBy(containers, ({ Config }) => Config.Labels[LABELS.sandbox] ?? "");
  return [...bySandbox]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([sandbox, members]) => ({
      name: sandbox,
      image: members[0]!.Config.Image,
      nodes: members.map(nodeOf).sort((a, b) => a.rank - b.rank),
    }));
}

/** @throws ConfigError if there is none of that name; says which there are. */
export async function getSandbox(engine: Engine, name: string, options?: RunOptions): Promise<Sandbox> {
  const all = await listSandboxes(engine, undefined, options);
  const found = all.find((sandbox) => sandbox.name === name);
  if (found) return found;
  if (all.length === 0)
    throw new ConfigError(
      `There is no sandbox "${name}", nor any other: make it with npx atoll sandbox setup --name ${name}.`,
    );
  throw unknownName(
    "sandbox",
    name,
    all.map((sandbox) => sandbox.name),
  );
}

function nodeOf({ Name, State, Config, HostConfig, NetworkSettings }: Inspected): SandboxNode {
  const health = State.Health?.Status ?? "";
  return {
    rank: Number(Config.Labels[LABELS.rank]),
    container: Name.replace(/^\//, ""),
    state: State.Status,
    health: health === "starting" || health === "healthy" || health === "unhealthy" ? health : "unknown",
    address: Object.values(NetworkSettings.Networks ?? {})[0]?.IPAddress ?? "",
    port: Number(Config.Labels[LABELS.port]),
    gpus: (HostConfig.DeviceRequests ?? []).length > 0,
  };
}
