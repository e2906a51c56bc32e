// How the ranks of a run meet, from where each is and from the run's options.

import type { Rendezvous } from "@atoll/train/node";
import type { RunConfig } from "../runOptions.ts";
import { isLoopback, type RankPlace } from "./rankPlace.ts";

/** Engines start the processes of a job minutes apart: they pull images, and ranks load their data. */
const JOIN_TIMEOUT_MS = 600_000;

type Conditions = Pick<Rendezvous, "heartbeatMs" | "timeoutMs" | "shaping">;

/** What the options say of the ranks' connections. Several heartbeats have to be missed before a rank counts as lost. */
export const conditionsOf = ({ timeout, shaping, network }: ProcessConfig): Conditions => ({
  timeoutMs: timeout * 1000,
  heartbeatMs: Math.min(1000, timeout * 250),
  shaping: shaping === "user" || (shaping === "auto" && hasConditions(network)) ? "userSpace" : "none",
});

type ProcessConfig = Pick<RunConfig, "timeout" | "shaping" | "network">;

/** Options of the network that say how fast it is; the profile "local" is what there is. */
const CONDITIONS = [
  "bandwidth",
  "latency",
  "jitter",
  "loss",
  "trace",
  "between",
  "links",
  "nic",
  "background",
];

const hasConditions = (network: RunConfig["network"]): boolean =>
  network.profile !== "local" ||
  CONDITIONS.some((name) => network[name as keyof typeof network] !== undefined);

/** @param warn gets a sentence if the ranks meet where strangers may come */
export function rendezvousOf(
  { rank, master, listenHost, runId, token }: RankPlace,
  run: ProcessConfig,
  warn: (message: string) => void,
): Rendezvous {
  if (token === "" && !isLoopback(master.host) && rank === 0)
    warn(
      "warning: ATOLL_TOKEN is not set: whoever reaches this port can join the run. Set it to the same secret on all ranks.",
    );
  return {
    ...conditionsOf(run),
    rank,
    master,
    listenHost,
    runId,
    token,
    joinTimeoutMs: JOIN_TIMEOUT_MS,
    returnMs: JOIN_TIMEOUT_MS,
  };
}
