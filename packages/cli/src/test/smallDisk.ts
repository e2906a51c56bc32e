// A file system so small that a run fills it. Making one takes root and a kernel that allows it.

import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Calls `use` with the path of a file system of 200 kB below `directory`; skips the test where there can be none. */
export async function onSmallDisk(
  directory: string,
  skip: (reason: string) => void,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const path = join(directory, "disk");
  await mkdir(path);
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=200k", "tmpfs", path]);
  } catch {
    skip("a small file system can only be mounted by root");
    return;
  }
  try {
    await use(path);
  } finally {
    await run("umount", [path]);
  }
}
