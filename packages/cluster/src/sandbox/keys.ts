// The keys of a sandbox: made by its own image with the real ssh-keygen (docker/node/atoll-keys says what there is), kept
// in a directory that only the user may read, mounted into the nodes, and removed with the sandbox.

import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, messageOf, RunError } from "@atoll/core";
import type { Engine } from "./engine.ts";
import { imageOf } from "./image.ts";
import { aliasesOf, containerName } from "./names.ts";

/** Where the nodes have them. */
export const KEYS_MOUNT = "/run/atoll/ssh";

export const keysDirectory = (stateDirectory: string, sandbox: string): string =>
  join(stateDirectory, "sandboxes", sandbox);

export interface KeysOptions {
  readonly directory: string;
  readonly sandbox: string;
  readonly nodes: number;
  /** The image's user, who has to be able to read them. */
  readonly userId: number;
  readonly groupId: number;
  /** The port of rank 0 on 127.0.0.1; the others' follow. */
  readonly firstPort: number;
  /** What the engine needs for a container that writes into a directory of this machine. */
  readonly runFlags: readonly string[];
}

export async function makeKeys(engine: Engine, options: KeysOptions): Promise<void> {
  const { directory, sandbox, nodes, userId, groupId } = options;
  try {
    // What is left of a sandbox that ended badly is of no use: its nodes have gone.
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chown(directory, userId, groupId);
  } catch (cause) {
    throw new RunError(
      `Cannot make ${directory} for the sandbox's keys: ${messageOf(cause)}. Set ATOLL_STATE to a directory that you may write to.`,
      cause,
    );
  }
  const hosts = Array.from({ length: nodes }, (_, rank) =>
    [containerName(sandbox, rank), ...aliasesOf(rank)].join(","),
  );
  await engine.run("make the sandbox's keys", [
    ...["run", "--rm", "--network", "none", ...options.runFlags],
    ...["--volume", `${directory}:${KEYS_MOUNT}`, imageOf(sandbox), "atoll-keys", KEYS_MOUNT, ...hosts],
  ]);
  await writeSshConfig(options);
}

/** ssh's configuration by which this machine reaches the nodes under their names. */
export const sshConfigPath = (directory: string): string => join(directory, "ssh_config");

async function writeSshConfig({ directory, sandbox, nodes, firstPort }: KeysOptions): Promise<void> {
  const hosts = Array.from({ length: nodes }, (_, rank) => {
    const name = containerName(sandbox, rank);
    return `Host ${[name, ...aliasesOf(rank)].join(" ")}\n  Port ${firstPort + rank}\n  HostKeyAlias ${name}\n`;
  });
  const common = [
    ...["HostName 127.0.0.1", "User atoll", `IdentityFile "${join(directory, "id_ed25519")}"`],
    ...["IdentitiesOnly yes", `UserKnownHostsFile "${join(directory, "known_hosts")}"`],
    ...["StrictHostKeyChecking yes", "LogLevel ERROR"],
  ];
  await writeFile(
    sshConfigPath(directory),
    `${hosts.join("")}Host *\n${common.map((line) => `  ${line}\n`).join("")}`,
  );
}

/** A colon or a comma would be read as the end of the directory's name. */
export function checkMountable(directory: string): string {
  if (!/[:,]/.test(directory)) return directory;
  throw new ConfigError(
    `Directory ${directory}: expected a path without colons and commas, since it is mounted into containers.`,
  );
}
