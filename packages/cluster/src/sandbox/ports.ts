// Which ports of this machine the nodes' ssh servers are published on: a range on 127.0.0.1, one port a node. Sandboxes that
// are made at the same time get ranges of their own.

import { ConfigError } from "@atoll/core";
import { lockPort, lockSearch } from "../locks.ts";
import type { Sandbox } from "./inspect.ts";

/** As in the guides: 22001, 22002, … */
export const FIRST_PORT = 22_001;
const LAST_PORT = 65_535;

/** Kept for the nodes until it is disposed of, when they have been started. */
export interface PortRange extends AsyncDisposable {
  readonly first: number;
}

export interface PortOptions {
  /** The range that someone wants to begin there; absent: the first free one. */
  readonly asked?: number | undefined;
  /** Their nodes' ports are theirs, also while a node does not run: it takes its port again when it is restarted. */
  readonly sandboxes: readonly Sandbox[];
}

/**
 * The first of `count` free ports in a row.
 *
 * @throws ConfigError if the range that was asked for is not free, or there is none
 */
export async function choosePorts(count: number, { asked, sandboxes }: PortOptions): Promise<PortRange> {
  const owners = new Map(
    sandboxes.flatMap(({ name, nodes }) => nodes.map(({ port }) => [port, name] as const)),
  );
  await using _ = await lockSearch();
  if (asked !== undefined) {
    const range = await lockRange(asked, count, owners);
    if (typeof range === "object") return range;
    const owner = owners.has(range) ? ` by the sandbox "${owners.get(range)}"` : "";
    throw new ConfigError(
      `Port ${range} is taken${owner}: the nodes' ssh needs ${count} free ports from ${asked} on. Choose another --port, or leave it away for the next free range.`,
    );
  }
  for (let first = FIRST_PORT; first + count - 1 <= LAST_PORT; ) {
    const range = await lockRange(first, count, owners);
    if (typeof range === "object") return range;
    first = range + 1;
  }
  throw new ConfigError(`No ${count} free ports in a row from ${FIRST_PORT} on: use fewer nodes.`);
}

/** @returns the first port of it that is taken, if one is */
async function lockRange(
  first: number,
  count: number,
  owners: ReadonlyMap<number, string>,
): Promise<PortRange | number> {
  const locks = new AsyncDisposableStack();
  for (let port = first; port < first + count; port++) {
    const lock = owners.has(port) ? undefined : await lockPort(port);
    if (lock === undefined) {
      await locks.disposeAsync();
      return port;
    }
    locks.use(lock);
  }
  return { first, [Symbol.asyncDispose]: () => locks.disposeAsync() };
}
