// A user's credentials on the nodes, read-only, those that exist. Whoever makes a sandbox has the nodes' user number, so that
// their files are mounted as they are. Root has not, since that user is never root, and a file of mode 600 could not be read:
// so root's are copied into a directory of root's own, given to the nodes' user there, and removed with the sandbox.

import { chmod, chown, cp, lchown, lstat, mkdir, readdir, realpath, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { bytes, formatBytes, messageOf, RunError } from "@atoll/core";
import type { Mount } from "./codeMounts.ts";

/** Of a home directory. */
export const CREDENTIALS: readonly string[] = [".netrc", ".config", ".ssh", ".aws", ".metta"];

/** Of each: more than that are no credentials, such as a browser's profile in .config. */
const MOST_BYTES = 100e6;

export interface CredentialOptions {
  /** The home directory. */
  readonly from: string;
  readonly stateDirectory: string;
  readonly sandbox: string;
  /** The nodes' user. */
  readonly userId: number;
  readonly groupId: number;
  /** Told what the nodes cannot read, in a sentence each. */
  readonly warn: (sentence: string) => void;
}

/** Where root's are copied to. */
export const copiesDirectory = (stateDirectory: string, sandbox: string): string =>
  join(stateDirectory, "credentials", sandbox);

/** What is to be mounted for them, made ready. @throws RunError if they cannot be copied */
export async function credentialMounts(options: CredentialOptions): Promise<readonly Mount[]> {
  const { from, stateDirectory, sandbox, userId } = options;
  const there: string[] = [];
  for (const name of CREDENTIALS) if (await exists(join(from, name))) there.push(name);
  const target = (name: string): string => `/home/atoll/${name}`;
  if (process.getuid?.() !== 0 || userId === 0) return there.map((name) => [join(from, name), target(name)]);
  const copies = copiesDirectory(stateDirectory, sandbox);
  await rm(copies, { recursive: true, force: true });
  const mounts: Mount[] = [];
  for (const name of there) {
    // Where a link leads to, as a mount would have it.
    const source = await realpath(join(from, name));
    const size = await sizeOf(source);
    if (size > MOST_BYTES) {
      options.warn(
        `${join(from, name)} has ${formatBytes(bytes(size))} or more, too much to be copied for the nodes' user: it is mounted as it is, and what only root may read stays unreadable there.`,
      );
      mounts.push([source, target(name)]);
    } else mounts.push([await copyFor(source, join(copies, name), options), target(name)]);
  }
  return mounts;
}

async function copyFor(
  source: string,
  copy: string,
  { stateDirectory, sandbox, userId, groupId }: CredentialOptions,
): Promise<string> {
  try {
    // The user of the same number on this machine gets no further than here.
    await mkdir(copiesDirectory(stateDirectory, sandbox), { recursive: true, mode: 0o700 });
    await chmod(join(stateDirectory, "credentials"), 0o700);
    await cp(source, copy, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
      filter: async (path) => isCopied(await lstat(path)),
    });
    await give(copy, userId, groupId);
    return copy;
  } catch (cause) {
    throw new RunError(
      `Cannot copy ${source} for the nodes' user: ${messageOf(cause)}. Leave --credentials away, or mend it.`,
      cause,
    );
  }
}

/** Sockets of agents and the like are of no use elsewhere. */
const isCopied = (file: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): boolean =>
  file.isFile() || file.isDirectory() || file.isSymbolicLink();

async function give(path: string, userId: number, groupId: number): Promise<void> {
  if (!(await lstat(path)).isDirectory()) return chown(path, userId, groupId);
  for (const entry of await readdir(path, { recursive: true }))
    await lchown(join(path, entry), userId, groupId);
  await chown(path, userId, groupId);
}

/** Until it is clear that it is too much. */
async function sizeOf(path: string): Promise<number> {
  const entry = await lstat(path);
  if (!entry.isDirectory()) return entry.isFile() ? entry.size : 0;
  let size = 0;
  for (const name of await readdir(path)) {
    size += await sizeOf(join(path, name));
    if (size > MOST_BYTES) break;
  }
  return size;
}

const exists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;
