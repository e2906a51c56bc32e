// Who writes to a run's directory: a file with the process in it, so that two that go on with one run do not both write its log.
// A process that was killed leaves its file; of one that does not run any more on this machine it does not count.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { ConfigError } from "@atoll/core";

interface Holder {
  readonly pid: number;
  readonly host: string;
}

const pathIn = (directory: string): string => join(directory, "lock");

/** @throws ConfigError if another process of this machine writes there */
export function takeLock(directory: string): void {
  const path = pathIn(directory);
  const own = JSON.stringify({ pid: process.pid, host: hostname() } satisfies Holder);
  try {
    writeFileSync(path, own, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const holder = holderOf(path);
    if (holder !== undefined && isOther(holder))
      throw new ConfigError(
        `Run directory ${directory}: process ${holder.pid} of this machine writes to it. Wait until it has ended, or stop it; if that is no process of Atoll's, remove ${path}.`,
      );
    writeFileSync(path, own);
  }
}

export function releaseLock(directory: string): void {
  if (holderOf(pathIn(directory))?.pid === process.pid) rmSync(pathIn(directory), { force: true });
}

function holderOf(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder;
  } catch {
    return undefined; // Gone, or killed while it was written.
  }
}

function isOther({ pid, host }: Holder): boolean {
  if (host !== hostname() || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
