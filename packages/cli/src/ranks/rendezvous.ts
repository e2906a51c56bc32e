// How the ranks of a run meet, from where each is and from the run's options.

import { ConfigError } from "@atoll/core";
import type { Rendezvous } from "@atoll/train/node/processes";
import type { RunConfig } from "../runOptions.ts";
import type { Terminal } from "../terminal.ts";
import { commandRunner } from "./commandRunner.ts";
import { isLoopback, type RankPlace } from "./rankPlace.ts";

/** Engines start the processes of a job minutes apart: they pull images, and ranks load their data. */
const JOIN_TIMEOUT_MS = 600_000;

type Conditions = Pick<Rendezvous, "heartbeatMs" | "timeoutMs" | "shaping">;

/**
 * What the options say of the ranks' connections. Several heartbeats have to be missed before a rank counts as lost.
 * @param areTogether whether the ranks certainly share a machine's own network, which the kernel is not to shape
 * @throws ConfigError if it is to, nevertheless
 */
export function conditionsOf({ timeout, shaping, network }: ProcessConfig, areTogether: boolean): Conditions {
  if (shaping === "tc" && areTogether)
    throw new ConfigError(
      'Option "shaping": tc shapes what leaves a container or a network namespace, and these ranks are all in one. Use shaping=user, or a sandbox: npx atoll sandbox setup, then npx atoll launch.',
    );
  const asked = shaping === "auto" ? automatic(network, areTogether) : SHAPING[shaping];
  return { timeoutMs: timeout * 1000, heartbeatMs: Math.min(1000, timeout * 250), shaping: asked };
}

const SHAPING = { tc: "system", user: "userSpace", off: "none" } as const;

function automatic(network: RunConfig["network"], areTogether: boolean): "none" | "userSpace" | "either" {
  if (!hasConditions(network)) return "none";
  return areTogether ? "userSpace" : "either";
}

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

/** @throws ConfigError as `conditionsOf` */
export function rendezvousOf(
  { rank, master, listenHost, runId, token }: RankPlace,
  run: ProcessConfig,
  terminal: Pick<Terminal, "environment">,
): Rendezvous {
  return {
    ...conditionsOf(run, isLoopback(master.host)),
    run: commandRunner(terminal.environment),
    rank,
    master,
    listenHost,
    runId,
    token,
    joinTimeoutMs: JOIN_TIMEOUT_MS,
    returnMs: JOIN_TIMEOUT_MS,
  };
}
