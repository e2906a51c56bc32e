// The port of the first node at which the ranks of a launch meet: 29500 as everywhere, or another one if it is taken, be it
// by a launch whose rank 0 does not listen yet.

import { type Engine, type LeaseOptions, leasePort, lockPort, MASTER_PORT } from "@atoll/cluster";
import { ConfigError } from "@atoll/core";

export interface MeetingPort extends AsyncDisposable {
  readonly port: number;
  /** Why it is not the usual one. */
  readonly note?: string;
}

const noteOf = (port: number, asked: number | undefined): Pick<MeetingPort, "note"> =>
  asked !== undefined || port === MASTER_PORT
    ? {}
    : { note: `port ${MASTER_PORT} is taken, ranks meet at ${port}` };

/** Where nobody can be asked what is free. */
export const unchecked = (asked: number | undefined): MeetingPort => ({
  port: asked ?? MASTER_PORT,
  [Symbol.asyncDispose]: async () => {},
});

/** @throws ConfigError if the port that was asked for is taken, or none is free; InterruptedError */
export async function meetInContainer(
  engine: Engine,
  container: string,
  options: LeaseOptions,
): Promise<MeetingPort> {
  const lease = await leasePort(engine, container, options);
  return {
    port: lease.port,
    ...noteOf(lease.port, options.asked),
    [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose](),
  };
}

const LOCAL_PORTS = 100;

/** @throws ConfigError if the port that was asked for is taken, or none is free */
export async function meetHere(asked: number | undefined): Promise<MeetingPort> {
  const count = asked === undefined ? LOCAL_PORTS : 1;
  const first = asked ?? MASTER_PORT;
  for (let port = first; port < first + count; port++) {
    const lock = await lockPort(port);
    if (lock === undefined) continue;
    return { port, ...noteOf(port, asked), [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose]() };
  }
  throw new ConfigError(
    asked === undefined
      ? `No port of this machine from ${first} to ${first + count - 1} is free: other runs may have them. Name one with --port, or end some.`
      : `Port ${asked} of this machine is taken: another run may have it. Choose another one with --port, or leave it away for a free one.`,
  );
}
