// Ends a sandbox and takes away everything that belongs to it. What that is, the engine knows by the labels; so a sandbox
// that was made halfway, or whose maker was killed, goes the same way.

import type { Engine, RunOptions } from "./engine.ts";
import { removeKeys } from "./keys.ts";
import { LABELS } from "./names.ts";

export interface RemoveOptions {
  readonly stateDirectory: string;
  /** Results and caches, too. */
  readonly volumes: boolean;
}

export interface Removed {
  readonly containers: number;
  readonly networks: number;
  readonly volumes: number;
  /** Names of the volumes that were left. */
  readonly kept: readonly string[];
}

/** Kept even if nothing is there. It is not interrupted in the middle. */
export async function removeSandbox(
  engine: Engine,
  name: string,
  { stateDirectory, volumes }: RemoveOptions,
  options?: RunOptions,
): Promise<Removed> {
  const list = async (what: string, argv: readonly string[]): Promise<readonly string[]> =>
    (
      await engine.run(
        `list ${what}`,
        [...argv, "--quiet", "--filter", `label=${LABELS.sandbox}=${name}`],
        options,
      )
    )
      .split("\n")
      .filter((line) => line !== "");
  const tolerate = /no such|not found|already in progress|no network with name|no container with/i;
  const containers = await list("containers", ["ps", "--all"]);
  if (containers.length > 0)
    await engine.run("remove the containers", ["rm", "--force", "--volumes", ...containers], { tolerate });
  const networks = await list("networks", ["network", "ls"]);
  if (networks.length > 0)
    await engine.run("remove the network", ["network", "rm", ...networks], { tolerate });
  const there = await list("volumes", ["volume", "ls"]);
  if (volumes && there.length > 0)
    await engine.run("remove the volumes", ["volume", "rm", ...there], { tolerate });
  await removeKeys(stateDirectory, name);
  return {
    containers: containers.length,
    networks: networks.length,
    volumes: volumes ? there.length : 0,
    kept: volumes ? [] : there,
  };
}
