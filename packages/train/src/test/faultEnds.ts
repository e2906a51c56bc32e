// Which ends a run that meets faults may come to before its last step, told from its options alone: by brute force over the
// faults that never end, and by the odds of ever getting through those that come again and again.

import { bytes, ConfigError, createRandom, formatSeconds, RunError, seconds } from "@atoll/core";
import { createFaultSchedule, type Fault, type OnAndOff, resolveNetwork } from "@atoll/network";
import type { FaultyRunOptions } from "../faults/policy.ts";
import type { MissingPolicy } from "../strategies/whenMissing.ts";
import { type RehearsalOptions, rehearse } from "./runs.ts";

/**
 * Below these odds of getting from one step that is kept to the next in one go, a run may be given up. They are too good where
 * outages are outlived: those make exchanges take several times as long.
 */
const HOPELESS = 0.25;

const isLasting = (fault: Fault): boolean =>
  fault.kind !== "straggler" && (fault.kind === "crash" ? fault.rejoin : fault.until) === undefined;
const beginOf = (fault: Fault): number => (fault.kind === "crash" ? fault.at : (fault.from ?? 0));

const policyOf = ({ strategy, faults }: RehearsalOptions): MissingPolicy =>
  faults?.whenMissing ?? strategy.whenMissing ?? { kind: "wait" };

/** Whether two nodes share a link, by the meaning of the topology's name. */
function areNeighbours(topology: string, a: number, b: number, nodes: number): boolean {
  switch (topology) {
    case "fully_connected":
      return a !== b;
    case "ring":
      return (a + 1) % nodes === b || (b + 1) % nodes === a;
    case "star":
      return a !== b && (a === 0 || b === 0);
    default:
      throw new Error(`no rule for ${topology}`);
  }
}

/** Among how many nodes there is a way for good, once the faults of the list have begun. */
function connectedUnder(lasting: readonly Fault[], topology: string, nodes: number): number {
  const crashed = new Set(lasting.flatMap((fault) => (fault.kind === "crash" ? [fault.node] : [])));
  const carries = (a: number, b: number): boolean =>
    lasting.every((fault) => {
      if (fault.kind === "linkDown") return !(fault.nodes.includes(a) && fault.nodes.includes(b));
      if (fault.kind !== "partition") return true;
      const side = (rank: number): number => fault.groups.findIndex((group) => group.includes(rank));
      return side(a) === side(b);
    });
  const partOf = (start: number): number => {
    const seen = new Set(crashed.has(start) ? [] : [start]);
    for (const a of seen)
      for (let b = 0; b < nodes; b++)
        if (!crashed.has(b) && areNeighbours(topology, a, b, nodes) && carries(a, b)) seen.add(b);
    return seen.size;
  };
  return Math.max(...Array.from({ length: nodes }, (_, rank) => partOf(rank)));
}

/** Nodes that have to come to every exchange. */
function neededBy(policy: MissingPolicy, nodes: number): number {
  if (policy.kind === "wait" || policy.kind === "stop") return nodes;
  return policy.kind === "quorum" ? Math.ceil(policy.fraction * nodes - 1e-9) : 0;
}

/** Why the run has to be refused before it starts: the outage, by its moment, and how many nodes it leaves; undefined if not. */
export function refusalOf(
  run: RehearsalOptions,
): { readonly from: number; readonly left: number } | undefined {
  const { nodes = 1, network, faults } = run;
  const lasting = (faults?.schedule ?? []).filter(isLasting);
  const needed = neededBy(policyOf(run), nodes);
  for (const fault of lasting) {
    const begun = lasting.filter((other) => beginOf(other) <= beginOf(fault));
    // That ends the run when it comes.
    if (policyOf(run).kind === "stop" && fault.kind === "crash") continue;
    const left = connectedUnder(begun, network?.topology ?? "fully_connected", nodes);
    if (left < needed) return { from: beginOf(fault), left };
  }
  return undefined;
}

/** @returns what is wrong with a run's ending so; undefined if it may */
export async function objectionTo(error: Error, run: RehearsalOptions): Promise<string | undefined> {
  const { nodes = 1, seed = 0, faults = {} } = run;
  const refusal = refusalOf(run);
  if (error instanceof ConfigError) {
    if (refusal === undefined) return "nothing of it lasts, or enough nodes are left: it must not be refused";
    const { from, left } = refusal;
    const says = `from ${formatSeconds(from)} on leaves ${left} of ${nodes} nodes connected for good`;
    return error.message.includes(says) ? undefined : `the refusal has to say "${says}"`;
  }
  if (refusal !== undefined) return "it must be refused before it starts";
  if (!(error instanceof RunError)) return "it broke";
  const policy = policyOf(run).kind;
  const lasting = (faults.schedule ?? []).filter(isLasting);
  const crash = /^Node (\d+) crashed at (.+), and the other nodes cannot go on without it: /.exec(
    error.message,
  );
  if (crash !== null) {
    const [, node, at] = crash;
    const random = createRandom(seed).derive("faults");
    const downtime = createFaultSchedule(timesOf(faults), { worldSize: nodes, random }).nextDowntime(
      Number(node),
      0,
    );
    if (policy !== "stop") return `under ${policy} the others can go on`;
    return downtime !== undefined && formatSeconds(downtime.from) === at
      ? undefined
      : `node ${node} does not crash first then`;
  }
  if (error.message.includes(`all ${nodes} nodes have crashed, and none rejoins`)) {
    const gone = new Set(lasting.flatMap((fault) => (fault.kind === "crash" ? [fault.node] : [])));
    return gone.size === nodes ? undefined : "some node comes back";
  }
  if (/^The run cannot go on: nodes were lost \d+ times.* since step \d+ was done/.test(error.message)) {
    const odds = await oddsOf(run);
    return odds < HOPELESS ? undefined : `the next step can be done with a probability of ${odds}`;
  }
  return "this is no reason that is known";
}

/** How long a node's state is under way at most; it is as large as the parameters, at least. */
function handingSeconds({ nodes = 1, seed = 0, network = {} }: RehearsalOptions, parameters: number): number {
  const size = bytes(4 * parameters);
  const ranks = Array.from({ length: nodes }, (_, rank) => rank);
  const times = ranks.slice(1).map((to) => {
    const random = createRandom(seed).derive("network");
    return resolveNetwork(network, { worldSize: nodes, random }).send(0, to, size, seconds(0)).arrived;
  });
  return Math.max(...times);
}

const timesOf = ({ whenMissing: _, recovery: __, ...faults }: FaultyRunOptions): FaultyRunOptions => faults;

/**
 * The odds that all nodes that are needed are there at the beginning of what lies between one step that is kept and the
 * next, and that none is lost on the way: by a crash, or by an outage of links that outlasts the policy's patience.
 * How long the way is, is asked of the same run with no fault but its slow nodes.
 */
async function oddsOf(run: RehearsalOptions): Promise<number> {
  const { nodes = 1, maxSteps = 1, checkpointInterval = 0, faults = {} } = run;
  const { schedule = [], churn, disconnects, partitions, stragglers, recovery = "peer" } = faults;
  const slow = schedule.filter(({ kind }) => kind === "straggler");
  const calm = await rehearse({ ...run, faults: { schedule: slow, stragglers } });
  const policy = policyOf(run);
  const waits = policy.kind === "wait" && recovery === "peer";
  // Whom the others wait for is given a state first, and does all of the round.
  const { strategy } = run;
  const round = waits && strategy.kind === "parameter" ? Math.min(maxSteps, strategy.localSteps(0)) : 1;
  const steps = recovery === "peer" ? round : checkpointInterval || maxSteps;
  const given = waits || policy.kind === "quorum" ? handingSeconds(run, calm.result.parameterCount) : 0;
  const duration = given + (calm.result.simulatedSeconds * steps) / maxSteps;
  // Where nodes are waited for without end, what stands still may be too late for those that crash meanwhile.
  const endless = waits && churn !== undefined ? 0 : Number.POSITIVE_INFINITY;
  const patience = policy.kind === "quorum" || policy.kind === "timeout" ? policy.seconds : endless;
  const outlived = ({ uptime, downtime }: OnAndOff, borne: number): number =>
    borne === Number.POSITIVE_INFINITY
      ? 1
      : (uptime / (uptime + downtime)) * Math.exp((-duration / uptime) * Math.exp(-borne / downtime));
  const ofNode =
    (churn === undefined ? 1 : outlived(churn, 0)) *
    (disconnects === undefined ? 1 : outlived(disconnects, patience));
  const ofAll = partitions === undefined ? 1 : outlived(partitions, patience);
  return ofNode ** Math.max(1, neededBy(policy, nodes)) * ofAll;
}
