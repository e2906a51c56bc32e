// The process that has started this one as a rank of its run, at the other end of Node's channel between processes. It says
// what the run is, which no command line should show (the token), and its end is this one's, however it comes about.

import type { ConfigTree } from "@atoll/core";

/** What a rank is told when it is started. */
export interface RankOrder {
  readonly options: ConfigTree;
  readonly runId: string;
  readonly token: string;
}

export interface ParentProcess {
  readonly order: Promise<RankOrder>;
}

/** @returns undefined if nobody listens there: the process was started by hand or by an engine */
export function parentProcess(): ParentProcess | undefined {
  if (process.channel === undefined) return undefined;
  // Whatever this process does: without its parent nobody will ever want it.
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  const { promise, resolve } = Promise.withResolvers<RankOrder>();
  process.once("message", (order) => {
    resolve(order as RankOrder);
    // From now on the channel is only listened to: it must not keep a rank alive that has done its part.
    process.channel?.unref();
  });
  return { order: promise };
}
