// A port of a node at which the ranks of one launch meet: nobody listens there, and no other launch on the node gets it as
// long as this one has it, though rank 0 listens only a while after it has been started. What stands for it is a lock on a
// file of the node, held by a shell whose standard input is this process's: it goes with that, however it ends.

import { ConfigError, InterruptedError } from "@atoll/core";
import type { ExecOptions } from "../exec/exec.ts";
import { MASTER_PORT } from "../rank/rankEnvironment.ts";
import type { Engine } from "./engine.ts";

export interface PortLease extends AsyncDisposable {
  readonly port: number;
}

export interface LeaseOptions {
  /** The one port that it has to be. */
  readonly asked?: number | undefined;
  /** Ends the wait for a port. One that is leased is kept: ranks that are stopping still meet there. */
  readonly signal?: AbortSignal | undefined;
}

/** As many launches at a time. */
const PORTS = 100;

/**
 * The first free port from 29500 on.
 *
 * @throws ConfigError if none is free; InterruptedError if the signal came before one was found
 */
export async function leasePort(
  engine: Engine,
  container: string,
  { asked, signal }: LeaseOptions = {},
): Promise<PortLease> {
  if (signal?.aborted) throw interrupted();
  const ports = asked === undefined ? Array.from({ length: PORTS }, (_, i) => MASTER_PORT + i) : [asked];
  const answer = Promise.withResolvers<string | undefined>();
  const waiting = new AbortController();
  const giveUp = (): void => waiting.abort();
  signal?.addEventListener("abort", giveUp, { once: true });
  const options: ExecOptions = {
    environment: engine.environment,
    signal: waiting.signal,
    input: "held",
    endsWithInput: true,
    onLines: ([line], stream) => {
      if (stream === "stdout") answer.resolve(line);
    },
  };
  const argv = ["exec", "--interactive", container, "sh", "-c", SCRIPT, "sh", ...ports.map(String)];
  const { input, outcome } = engine.exec(engine.name, argv, options);
  void outcome.then(() => answer.resolve(undefined));
  const release = async (): Promise<void> => {
    input?.end();
    await outcome;
  };
  const line = await answer.promise;
  signal?.removeEventListener("abort", giveUp);
  if (waiting.signal.aborted) {
    await release();
    throw interrupted();
  }
  if (line !== undefined && line !== NONE) return { port: Number(line), [Symbol.asyncDispose]: release };
  await release();
  // An engine that cannot run this cannot run the ranks either: they say why.
  if (line === undefined) return { port: ports[0]!, [Symbol.asyncDispose]: async () => {} };
  throw new ConfigError(
    asked === undefined
      ? `No port of ${container} from ${MASTER_PORT} to ${MASTER_PORT + PORTS - 1} is free: other launches may have them. Name one with --port, or end some.`
      : `Port ${asked} of ${container} is taken: another launch may have it. Choose another one with --port, or leave it away for a free one.`,
  );
}

const interrupted = (): InterruptedError => new InterruptedError("Interrupted: find a free port.");

const NONE = "none";

/** Its arguments are the ports, in the order of preference. State 0A is listening: proc_net_tcp(5). */
const SCRIPT = `
listens() { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") [0-9A-F]*:0000 0A"; }
mkdir -p -m 1777 /tmp/atoll-ports
for port; do
  (flock -n 9 && ! listens "$port" && echo "$port" && exec cat >/dev/null) 9>"/tmp/atoll-ports/$port" && exit
done 2>/dev/null
echo ${NONE}`;
