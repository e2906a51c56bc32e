// What one process of this machine has for a while, and no other: a port for somebody who will listen there later, the search
// for ports, the name of a sandbox while it is set up, the building of images. A lock is a Unix socket with a name of Linux's abstract kind, which is in
// no file system and goes with this process, however it ends. Other systems have none: there nothing is locked.

import { createServer, type ListenOptions, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** @returns undefined if the port is not free (which is seen on all systems), or kept for somebody else */
export async function lockPort(port: number): Promise<AsyncDisposable | undefined> {
  const lock = await lockName(`port-${port}`);
  if (lock === undefined) return undefined;
  const probe = await listen({ port, host: "127.0.0.1", exclusive: true });
  if (probe === undefined) {
    await lock[Symbol.asyncDispose]();
    return undefined;
  }
  await close(probe);
  return lock;
}

/** Kept while a sandbox is set up: an engine makes two networks of one name. @returns undefined if somebody else does */
export const lockSetup = (engine: string, sandbox: string): Promise<AsyncDisposable | undefined> =>
  lockName(`${engine}-sandbox-${sandbox}`);

const POLL_MS = 20;

/** Kept when nobody else is looking for several ports in a row: two who do would be in each other's way. */
export const lockSearch = (): Promise<AsyncDisposable> => waitForName("port-search");

/**
 * Kept when nobody else builds an image: each build takes away images that it finds old, which another may be about to copy
 * from.
 *
 * @throws the signal's reason, while somebody else does
 */
export const lockBuild = (engine: string, signal?: AbortSignal): Promise<AsyncDisposable> =>
  waitForName(`${engine}-build`, signal);

async function waitForName(name: string, signal?: AbortSignal): Promise<AsyncDisposable> {
  for (;;) {
    const lock = await lockName(name);
    if (lock !== undefined) return lock;
    signal?.throwIfAborted();
    await sleep(POLL_MS);
  }
}

/** @returns undefined if somebody else has it */
async function lockName(name: string): Promise<AsyncDisposable | undefined> {
  if (process.platform !== "linux") return { [Symbol.asyncDispose]: async () => {} };
  const server = await listen({ path: `\0atoll-${name}` });
  return server && { [Symbol.asyncDispose]: () => close(server) };
}

/** @returns undefined if somebody else does */
function listen(options: ListenOptions): Promise<Server | undefined> {
  return new Promise((done) => {
    const server = createServer((connection) => connection.destroy());
    server.on("error", () => done(undefined));
    server.listen(options, () => done(server.unref()));
  });
}

const close = (server: Server): Promise<void> => new Promise((done) => server.close(() => done()));
