// What the nodes of a run do when some of them are missing: each strategy states its own policy, a run may choose another.

import { ConfigError, type ConfigTree, formatSeconds, type Random, type Rank, RunError } from "@atoll/core";
import {
  createFaultSchedule,
  type Fault,
  type FaultOptions,
  type FaultSchedule,
  listed,
  primaryComponent,
  type Topology,
} from "@atoll/network";
import type { Strategy } from "../strategies/index.ts";
import { type MissingPolicy, WAIT } from "../strategies/whenMissing.ts";

/** How a node that was lost gets back into the run. */
export type Recovery =
  /** It copies everything a strategy and an optimizer remember from another node. */
  | "peer"
  /** All nodes go back to the last checkpoint, as torchrun restarts a job. */
  | "checkpoint";

export interface FaultyRunOptions extends FaultOptions {
  /** What nodes do when some are missing. Default: what the strategy states. */
  readonly whenMissing?: MissingPolicy | undefined;
  /** Default "peer". */
  readonly recovery?: Recovery | undefined;
}

/** The faults of one run and what it does about them. */
export interface FaultPlan {
  readonly schedule: FaultSchedule;
  readonly policy: MissingPolicy;
  readonly recovery: Recovery;
  readonly config: ConfigTree;
}

const whenMissingOf = ({ whenMissing = WAIT }: Strategy): MissingPolicy => whenMissing;

/** Nodes that come one after another to a quorum of `worldSize`. */
export const quorumOf = (fraction: number, worldSize: number): number =>
  Math.max(1, Math.ceil(fraction * worldSize - 1e-9));

/** The faults of a run; what its network has to know of them before it is made. @throws ConfigError if one cannot be */
export function scheduleFaults(
  { whenMissing: _, recovery: __, ...faults }: FaultyRunOptions,
  world: { readonly worldSize: number; readonly random: Random },
): FaultSchedule {
  return createFaultSchedule(faults, world);
}

/**
 * @throws ConfigError if an option is out of its range, a link is to fail that the topology does not have, or a fault without
 * an end would keep the run waiting for good
 */
export function planFaults(
  { whenMissing, recovery = "peer", schedule: scheduled = [] }: FaultyRunOptions,
  strategy: Strategy,
  { schedule, topology }: { readonly schedule: FaultSchedule; readonly topology: Topology },
): FaultPlan {
  const policy = whenMissing ?? whenMissingOf(strategy);
  checkPolicy(policy, strategy);
  if (recovery === "checkpoint" && policy.kind !== "wait")
    throw new ConfigError(
      `Option "faults.recovery": "checkpoint" makes all nodes go back, which goes with faults.whenMissing=wait only, got ${policy.kind}. Use recovery "peer", or wait.`,
    );
  for (const [i, fault] of scheduled.entries()) checkLink(fault, `faults.schedule[${i}]`, topology);
  for (const { fault, from } of schedule.permanent)
    checkPermanent(fault, from, { schedule, policy, topology });
  const config = { ...schedule.config, whenMissing: { ...policy }, recovery };
  return { schedule, policy, recovery, config };
}

function checkPolicy(policy: MissingPolicy, strategy: Strategy): void {
  const refuse = (option: string, expected: string, got: unknown): never => {
    throw new ConfigError(
      `Option "faults.whenMissing.${option}": expected ${expected}, got ${JSON.stringify(got)}.`,
    );
  };
  const stated = whenMissingOf(strategy);
  if (stated.kind === "stop" && policy.kind !== "stop")
    throw new ConfigError(
      `Option "faults.whenMissing": with the strategy ${strategy.name} as it is set a crash ends the run, got ${policy.kind}: ${stated.reason}. Leave it out.`,
    );
  if (stated.kind !== "stop" && policy.kind === "stop")
    throw new ConfigError('Option "faults.whenMissing": expected wait, timeout or quorum, got stop.');
  const isAsynchronous = stated.kind === "none";
  if (isAsynchronous !== (policy.kind === "none"))
    throw new ConfigError(
      isAsynchronous
        ? `Option "faults.whenMissing": nodes of the strategy ${strategy.name} never wait for each other, got ${policy.kind}. Leave it out.`
        : `Option "faults.whenMissing": nodes of the strategy ${strategy.name} wait for each other, got none. Use wait, timeout or quorum.`,
    );
  if (policy.kind === "timeout" || policy.kind === "quorum")
    if (!(policy.seconds >= 0 && Number.isFinite(policy.seconds)))
      refuse("seconds", "seconds of at least 0", policy.seconds);
  if (policy.kind === "quorum" && !(policy.fraction > 0 && policy.fraction <= 1))
    refuse("fraction", "a number above 0 and at most 1", policy.fraction);
}

/** Refuses the outage of a link that is not there: nothing would come of it. */
function checkLink(fault: Fault, where: string, topology: Topology): void {
  if (fault.kind !== "linkDown") return;
  const [a, b] = fault.nodes;
  if (topology.link(a, b) !== undefined) return;
  const neighbours = (rank: Rank): string => listed("node", [...topology.neighbours(rank)]);
  throw new ConfigError(
    `Option "${where}.nodes": nodes ${a} and ${b} share no link in the topology ${topology.name} that could be down. ` +
      `Name two nodes that do: node ${a} has links to ${neighbours(a)}, node ${b} to ${neighbours(b)}.`,
  );
}

interface Circumstances {
  readonly schedule: FaultSchedule;
  readonly policy: MissingPolicy;
  readonly topology: Topology;
}

/** Refuses a fault after which no exchange could ever take place. */
function checkPermanent(fault: Fault, from: number, circumstances: Circumstances): void {
  const { schedule, policy, topology } = circumstances;
  const { worldSize } = topology;
  // Where a crash ends the run it does so when it comes; what is cut off is waited for without a word.
  const isWaitedFor = policy.kind === "stop" && fault.kind !== "crash";
  if (policy.kind !== "wait" && policy.kind !== "quorum" && !isWaitedFor) return;
  const left = primaryComponent(topology, schedule.lasting, from).size;
  const needed = policy.kind === "quorum" ? quorumOf(policy.fraction, worldSize) : worldSize;
  if (left >= needed) return;
  const end = `Give the fault an end (${fault.kind === "crash" ? "rejoin" : "until"})`;
  throw new ConfigError(
    `Option "faults.schedule": ${describeFault(fault, topology)} from ${formatSeconds(from)} on leaves ${left} of ${worldSize} nodes connected for good, but ${needs(policy, needed)}. ` +
      (policy.kind === "stop" ? `${end}.` : `${end}, or use faults.whenMissing=timeout.`),
  );
}

/** What ends a run whose nodes cannot go on without each other. */
export const crashError = (rank: Rank, from: number, reason: string): RunError =>
  new RunError(
    `Node ${rank} crashed at ${formatSeconds(from)}, and the other nodes cannot go on without it: ${reason}.`,
  );

/** The same for a run in which all wait and nobody was told: the crash was of a node that messages had to go through. */
export function crashBehind(
  { policy, schedule }: Pick<FaultPlan, "policy" | "schedule">,
  from: readonly number[],
  now: number,
): RunError | undefined {
  if (policy.kind !== "stop") return undefined;
  const crashes = from.flatMap((at, rank) => {
    const downtime = schedule.nextDowntime(rank, at);
    return downtime !== undefined && downtime.from <= now ? [{ rank, at: downtime.from }] : [];
  });
  const [first] = crashes.sort((a, b) => a.at - b.at);
  return first && crashError(first.rank, first.at, policy.reason);
}

/** Who has to come, in words. */
function needs(policy: MissingPolicy, needed: number): string {
  if (policy.kind === "stop") return `nodes cannot go on without each other: ${policy.reason}`;
  const who =
    policy.kind === "quorum" ? `a quorum of ${policy.fraction}, ${needed} nodes` : "wait, all nodes";
  return `under ${who} have to come to each exchange`;
}

function describeFault(fault: Fault, topology: Topology): string {
  switch (fault.kind) {
    case "crash":
      return `the crash of node ${fault.node}`;
    case "linkDown":
      return `the outage of the link between nodes ${fault.nodes.join(" and ")}`;
    case "partition": {
      const named = new Set(fault.groups.flat());
      const rest = Array.from({ length: topology.worldSize }, (_, rank) => rank).filter(
        (rank) => !named.has(rank),
      );
      const isHubAlone =
        topology.name === "star" && [...fault.groups, rest].some((group) => group.join() === "0");
      const groups = fault.groups.map((group) => `[${group.join(", ")}]`).join(" and ");
      return `a partition into ${groups}${isHubAlone ? ", which isolates the star's hub," : ""}`;
    }
    case "straggler":
      return `the slowness of node ${fault.node}`;
    default:
      return fault satisfies never;
  }
}
