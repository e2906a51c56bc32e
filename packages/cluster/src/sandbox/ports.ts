// Which ports of this machine the nodes' ssh servers are published on: a range on 127.0.0.1, one port a node.

import { createServer } from "node:net";
import { ConfigError } from "@atoll/core";

/** As in the guides: 22001, 22002, … */
export const FIRST_PORT = 22_001;
const LAST_PORT = 65_535;

/**
 * The first of `count` free ports in a row.
 *
 * @param asked the range that someone wants to begin there, or undefined for the first free one
 * @throws ConfigError if the range that was asked for is not free, or there is none
 */
export async function choosePorts(count: number, asked?: number): Promise<number> {
  if (asked !== undefined) {
    const taken = await firstTaken(asked, count);
    if (taken === undefined) return asked;
    throw new ConfigError(
      `Port ${taken} is taken: the nodes' ssh needs ${count} free ports from ${asked} on. Choose another --port, or leave it away for the next free range.`,
    );
  }
  for (let first = FIRST_PORT; first + count - 1 <= LAST_PORT; ) {
    const taken = await firstTaken(first, count);
    if (taken === undefined) return first;
    first = taken + 1;
  }
  throw new ConfigError(`No ${count} free ports in a row from ${FIRST_PORT} on: use fewer nodes.`);
}

async function firstTaken(first: number, count: number): Promise<number | undefined> {
  for (let port = first; port < first + count; port++) if (!(await isFree(port))) return port;
  return undefined;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
