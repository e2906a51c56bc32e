// Ends a sandbox and takes away everything that belongs to it. What that is, the engine knows by the labels; so a sandbox
// that was made halfway, or whose maker was killed, goes the same way.

import { rm } from "node:fs/promises";
import { z } from "zod";
import { copiesDirectory } from "./credentials.ts";
import type { Engine, RunOptions } from "./engine.ts";
import { removeImage } from "./image.ts";
import { keysDirectory } from "./keys.ts";
import { LABELS } from "./names.ts";

export interface RemoveOptions {
  /** Where its keys are, if its network does not say that they are elsewhere. */
  readonly stateDirectory: string;
  /** Results and caches, too. */
  readonly volumes: boolean;
  /** Volumes that stay nevertheless. */
  readonly except?: readonly string[];
}

export interface Removed {
  readonly containers: number;
  readonly networks: number;
  readonly volumes: number;
  /** Names of the volumes that were left. */
  readonly kept: readonly string[];
  /** Directories with keys or credentials that this user may not remove. */
  readonly secrets: readonly string[];
}

/** The volumes of a sandbox that is there, or was. */
export async function volumesOf(
  engine: Engine,
  name: string,
  options?: RunOptions,
): Promise<readonly string[]> {
  return listLabelled(engine, name, ["volume", "ls"], options);
}

async function listLabelled(
  engine: Engine,
  name: string,
  argv: readonly string[],
  options?: RunOptions,
): Promise<readonly string[]> {
  const flags = ["--quiet", "--filter", `label=${LABELS.sandbox}=${name}`];
  const lines = (await engine.run(`list what sandbox ${name} has`, [...argv, ...flags], options)).split("\n");
  return lines.filter((line) => line !== "");
}

/** The part of `docker network inspect` and `podman network inspect` that is read. */
const labels = z.record(z.string(), z.string()).nullish();
const inspected = z.array(z.object({ Labels: labels, labels }));

/** Where those who made the networks have kept its keys. */
async function statesOf(
  engine: Engine,
  networks: readonly string[],
  options?: RunOptions,
): Promise<readonly string[]> {
  if (networks.length === 0) return [];
  const tolerate = /no such|not found|no network with name/i; // One that ends in the same moment.
  const argv = ["network", "inspect", ...networks];
  const json = await engine.run("inspect the network", argv, { ...options, tolerate });
  return inspected
    .parse(JSON.parse(json || "[]"))
    .flatMap(({ Labels, labels = Labels }) => labels?.[LABELS.state] ?? []);
}

/** @returns the directories that could not be removed */
async function removeSecrets(states: readonly string[], name: string): Promise<readonly string[]> {
  const directories = [...new Set(states)].flatMap((state) => [
    keysDirectory(state, name),
    copiesDirectory(state, name),
  ]);
  const removed = await Promise.allSettled(
    directories.map((directory) => rm(directory, { recursive: true, force: true })),
  );
  return directories.filter((_, i) => removed[i]!.status === "rejected");
}

/** Kept even if nothing is there. It is not interrupted in the middle. */
export async function removeSandbox(
  engine: Engine,
  name: string,
  { stateDirectory, volumes, except = [] }: RemoveOptions,
  options?: RunOptions,
): Promise<Removed> {
  const tolerate = /no such|not found|already in progress|no network with name|no container with/i;
  const containers = await listLabelled(engine, name, ["ps", "--all"], options);
  if (containers.length > 0)
    await engine.run("remove the containers", ["rm", "--force", "--volumes", ...containers], { tolerate });
  const networks = await listLabelled(engine, name, ["network", "ls"], options);
  const states = await statesOf(engine, networks, options);
  if (networks.length > 0)
    await engine.run("remove the network", ["network", "rm", ...networks], { tolerate });
  const there = await volumesOf(engine, name, options);
  const unwanted = volumes ? there.filter((volume) => !except.includes(volume)) : [];
  if (unwanted.length > 0)
    await engine.run("remove the volumes", ["volume", "rm", ...unwanted], { tolerate });
  const secrets = await removeSecrets([stateDirectory, ...states], name);
  await removeImage(engine, name);
  return {
    containers: containers.length,
    networks: networks.length,
    volumes: unwanted.length,
    kept: there.filter((volume) => !unwanted.includes(volume)),
    secrets,
  };
}
