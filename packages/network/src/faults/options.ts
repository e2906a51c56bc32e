// Which faults a run meets, as a user gives them: on a schedule, or at random from the seed. All times are simulated
// seconds since the run's start. What the nodes do about them is the business of the trainer.

import { ConfigError, type ConfigTree, type Rank } from "@atoll/core";

/** A fault at a given time. What has no end lasts for good; an interval holds from its beginning up to before its end. */
export type Fault =
  | {
      readonly kind: "straggler";
      readonly node: Rank;
      /** Its steps take this many times as long. */
      readonly slowdown: number;
      /** Default 0. */
      readonly from?: number | undefined;
      readonly until?: number | undefined;
    }
  | {
      /** The node loses what it was doing and everything in its memory. */
      readonly kind: "crash";
      readonly node: Rank;
      readonly at: number;
      /** When it is back; left out, it never is. */
      readonly rejoin?: number | undefined;
    }
  | {
      /** The link between two nodes carries nothing, either way. */
      readonly kind: "linkDown";
      readonly nodes: readonly [Rank, Rank];
      readonly from: number;
      readonly until?: number | undefined;
    }
  | {
      /** No link between two groups carries anything; nodes that are in none of them form one more. */
      readonly kind: "partition";
      readonly groups: readonly (readonly Rank[])[];
      readonly from: number;
      readonly until?: number | undefined;
    };

/** Something that goes on and off; both durations are exponentially distributed with these means, in seconds. */
export interface OnAndOff {
  readonly uptime: number;
  readonly downtime: number;
}

export interface FaultOptions {
  /** Faults at given times. */
  readonly schedule?: readonly Fault[] | undefined;
  /** Nodes crash and rejoin, each by itself. */
  readonly churn?: OnAndOff | undefined;
  /** Nodes lose all their links and get them back, each by itself. */
  readonly disconnects?: OnAndOff | undefined;
  /** The nodes are split into two groups at random, and joined again. */
  readonly partitions?: OnAndOff | undefined;
  /** In each interval of simulated time a node is slow with a probability. */
  readonly stragglers?: Stragglers | undefined;
}

export interface Stragglers {
  readonly probability: number;
  /** The steps of a slow node take this many times as long. */
  readonly slowdown: number;
  /** Seconds. Default 1. */
  readonly interval?: number | undefined;
}

/** Seconds: what comes and goes more often than this is gone through one by one for as long as a run takes. */
const LEAST_MEAN = 1e-5;

const KINDS: readonly Fault["kind"][] = ["straggler", "crash", "linkDown", "partition"];

/** @throws ConfigError that names the option if a node is unknown, a time negative or an interval empty */
export function checkFaults(options: FaultOptions, worldSize: number): void {
  for (const [i, fault] of (options.schedule ?? []).entries())
    checkFault(fault, `faults.schedule[${i}]`, worldSize);
  for (const name of ["churn", "disconnects", "partitions"] as const)
    for (const duration of ["uptime", "downtime"] as const)
      if (options[name] !== undefined)
        atLeast(`faults.${name}.${duration}`, options[name][duration], LEAST_MEAN);
  const { stragglers } = options;
  if (stragglers === undefined) return;
  const { probability, slowdown, interval = 1 } = stragglers;
  if (!(probability >= 0 && probability <= 1))
    refuse("faults.stragglers.probability", "a number from 0 to 1", probability);
  if (!(slowdown >= 1 && Number.isFinite(slowdown)))
    refuse("faults.stragglers.slowdown", "a factor of at least 1", slowdown);
  atLeast("faults.stragglers.interval", interval, LEAST_MEAN);
}

function checkFault(fault: Fault, where: string, worldSize: number): void {
  const node = (name: string, rank: Rank): void => {
    if (!(Number.isInteger(rank) && rank >= 0 && rank < worldSize))
      refuse(`${where}.${name}`, `a node from 0 to ${worldSize - 1}`, rank);
  };
  switch (fault.kind) {
    case "straggler":
      node("node", fault.node);
      if (!(fault.slowdown >= 1 && Number.isFinite(fault.slowdown)))
        refuse(`${where}.slowdown`, "a factor of at least 1", fault.slowdown);
      interval(where, "from", fault.from ?? 0, "until", fault.until);
      return;
    case "crash":
      node("node", fault.node);
      interval(where, "at", fault.at, "rejoin", fault.rejoin);
      return;
    case "linkDown": {
      const [a, b] = fault.nodes;
      node("nodes[0]", a);
      node("nodes[1]", b);
      if (a === b) refuse(`${where}.nodes`, "two different nodes", fault.nodes);
      interval(where, "from", fault.from, "until", fault.until);
      return;
    }
    case "partition": {
      const all = fault.groups.flat();
      for (const rank of all) node("groups", rank);
      if (new Set(all).size !== all.length) refuse(`${where}.groups`, "each node once at most", fault.groups);
      const rest = all.length < worldSize ? 1 : 0;
      if (fault.groups.filter((group) => group.length > 0).length + rest < 2)
        refuse(`${where}.groups`, "groups that part the nodes", fault.groups);
      interval(where, "from", fault.from, "until", fault.until);
      return;
    }
    default:
      throw new ConfigError(
        `Option "${where}.kind": expected one of ${KINDS.join(", ")}, got ${JSON.stringify((fault as Fault).kind)}.`,
      );
  }
}

function interval(where: string, begin: string, from: number, end: string, until: number | undefined): void {
  if (!(from >= 0 && Number.isFinite(from))) refuse(`${where}.${begin}`, "seconds of at least 0", from);
  if (until !== undefined && !(until > from))
    refuse(`${where}.${end}`, `seconds after "${begin}" (${from})`, until);
}

function atLeast(name: string, value: number, least: number): void {
  if (!(value >= least && Number.isFinite(value))) refuse(name, `seconds from ${least} on`, value);
}

function refuse(name: string, expected: string, got: unknown): never {
  throw new ConfigError(`Option "${name}": expected ${expected}, got ${JSON.stringify(got)}.`);
}

/** The options as JSON, without what is not given. */
export const faultConfig = (options: FaultOptions): ConfigTree =>
  JSON.parse(JSON.stringify(options)) as ConfigTree;
