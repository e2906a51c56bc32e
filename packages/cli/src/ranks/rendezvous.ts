// How the ranks of a run meet, from where each is and from the run's options.

import type { Rendezvous } from "@atoll/train/node";
import type { RunConfig } from "../runOptions.ts";
import { isLoopback, type RankPlace } from "./rankPlace.ts";

/** Engines start the processes of a job minutes apart: they pull images, and ranks load their data. */
const JOIN_TIMEOUT_MS = 600_000;

/** Several heartbeats have to be missed before a rank counts as lost. */
export const timesOf = ({
  timeout,
}: Pick<RunConfig, "timeout">): Pick<Rendezvous, "heartbeatMs" | "timeoutMs"> => ({
  timeoutMs: timeout * 1000,
  heartbeatMs: Math.min(1000, timeout * 250),
});

/** @param warn gets a sentence if the ranks meet where strangers may come */
export function rendezvousOf(
  { rank, master, listenHost, runId, token }: RankPlace,
  run: Pick<RunConfig, "timeout">,
  warn: (message: string) => void,
): Rendezvous {
  if (token === "" && !isLoopback(master.host) && rank === 0)
    warn(
      "warning: ATOLL_TOKEN is not set: whoever reaches this port can join the run. Set it to the same secret on all ranks.",
    );
  return { ...timesOf(run), rank, master, listenHost, runId, token, joinTimeoutMs: JOIN_TIMEOUT_MS };
}
