// Files that are either whole or absent: written into a directory aside, flushed to the disk, then renamed into place.
// A reader never sees half a file, and a failed write leaves nothing behind. Knows nothing of what the files hold.

import { existsSync, mkdirSync } from "node:fs";
import { mkdir, mkdtemp, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError, RunError } from "@atoll/core";

/** A file's content: text (written as UTF-8), bytes, or bytes as they arrive. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes one file, replacing it if it is there; makes its directory.
 * @throws ConfigError if the directory cannot be written to; RunError if the disk is full or fails.
 */
export async function writeFileAtomic(path: string, content: FileContent): Promise<void> {
  await writeAside(path, async (aside) => writeFlushed(aside, content));
}

/**
 * Writes a directory of files, replacing it if it is there; it appears when all its files are on the disk.
 * @param files name and content; an iterable can make each file's content when its turn comes
 * @throws ConfigError if its parent cannot be written to; RunError if the disk is full or fails.
 */
export async function writeDirectoryAtomic(
  path: string,
  files: Iterable<readonly [name: string, content: FileContent]>,
): Promise<void> {
  await writeAside(path, async (aside) => {
    await mkdir(aside);
    for (const [name, content] of files) await writeFlushed(join(aside, name), content);
    await flushDirectory(aside);
    // A directory cannot be renamed onto one that has files: the old one steps aside first, and goes with the shelter.
    if (await isDirectory(path)) await rename(path, `${aside}.replaced`);
  });
}

/** Lets `write` make a file or directory at a path aside, then moves it to `path`; removes it if anything fails. */
async function writeAside(path: string, write: (aside: string) => Promise<void>): Promise<void> {
  const parent = dirname(path);
  let shelter: string | undefined;
  try {
    makeDirectories(parent);
    // A directory of its own, on the same file system: its name cannot collide with another writer's.
    shelter = await mkdtemp(join(parent, `.${basename(path)}-`));
    const aside = join(shelter, basename(path));
    await write(aside);
    await rename(aside, path);
    await flushDirectory(parent);
  } catch (cause) {
    throw writeError(path, cause);
  } finally {
    if (shelter !== undefined) await rm(shelter, { recursive: true, force: true });
  }
}

/**
 * Makes a directory and those above it, where they are missing. Node's own recursive way never returns for a path below
 * /proc.
 * @throws ConfigError if a directory cannot be made; RunError if the disk is full or fails.
 */
export function makeDirectories(path: string): void {
  if (existsSync(path)) return;
  makeDirectories(dirname(path));
  try {
    mkdirSync(path);
  } catch (cause) {
    // Another process may have made it a moment ago.
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST"))
      throw writeError(path, cause);
  }
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

async function writeFlushed(path: string, content: FileContent): Promise<void> {
  await using file = await open(path, "wx");
  const parts = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
  for await (const part of parts) await file.writeFile(part);
  await file.sync();
}

/** Makes a rename durable. Windows cannot open directories and needs no flush. */
async function flushDirectory(path: string): Promise<void> {
  const directory = await open(path, "r").catch(() => undefined);
  await directory?.sync().catch(() => undefined);
  await directory?.close();
}

const FULL_DISK = ["ENOSPC", "EDQUOT", "EFBIG"];
const NOT_WRITABLE = ["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "EISDIR", "ENOTEMPTY", "ENOENT"];

/** Words a failed write; anything that is not the file system's complaint (an abort, a bad download) passes unchanged. */
export function writeError(path: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || !("code" in cause) || !("syscall" in cause)) return cause;
  const code = String(cause.code);
  if (FULL_DISK.includes(code))
    return new RunError(
      `Cannot write ${path}: the disk is full (${code}). Free some space and try again.`,
      cause,
    );
  if (NOT_WRITABLE.includes(code))
    return new ConfigError(
      `Cannot write ${path}: expected a directory that can be written to, got ${code}. Choose another directory or change its permissions.`,
      cause,
    );
  return new RunError(`Cannot write ${path}: ${cause.message}.`, cause);
}
