// What a run was set to meet and what its nodes were to do about it, in sentences, from the resolved options of config.json.
// The options' meaning is network's and train's; what happened is in the events.

import { type ConfigTree, type ConfigValue, formatSeconds } from "@atoll/core";
import { formatCount, formatPercent } from "../format.ts";
import { isList, treeOf } from "../run.ts";

/** More scheduled faults than this are counted: config.json lists them. */
const MOST_SCHEDULED = 8;
/** More nodes than this are counted. */
const MOST_NODES = 8;

/**
 * @param options the resolved `faults` of a run's config; empty for a run that was to meet none
 * @param size nodes of the run; 0 if that is not known
 */
export function faultNotes(options: ConfigTree, size = 0): readonly string[] {
  const { schedule, churn, disconnects, partitions, stragglers, whenMissing, recovery } = options;
  const notes = [
    scheduleNote(listOf(schedule).map(treeOf), size),
    onAndOff("Each node crashes at random", churn, "is down"),
    onAndOff("Each node loses all its links at random", disconnects, "has none"),
    onAndOff("The nodes are split into two groups at random", partitions, "stay apart"),
    stragglerNote(treeOf(stragglers)),
  ].filter((note) => note !== null);
  if (notes.length === 0) notes.push("No fault was set to happen.");
  return [...notes, ...policyNotes(treeOf(whenMissing), recovery)];
}

const listOf = (value: ConfigValue | undefined): readonly ConfigValue[] =>
  value !== undefined && isList(value) ? value : [];

function scheduleNote(schedule: readonly ConfigTree[], size: number): string | null {
  if (schedule.length === 0) return null;
  const shown = schedule
    .slice(0, MOST_SCHEDULED)
    .map((fault) => describeFault(fault, size))
    .join("; ");
  const left = schedule.length - MOST_SCHEDULED;
  return `On schedule: ${shown}${left > 0 ? `; and ${formatCount(left)} more` : ""}.`;
}

function describeFault(fault: ConfigTree, size: number): string {
  const { kind, node, nodes, groups, slowdown, ...times } = fault;
  switch (kind) {
    case "crash":
      return `node ${words(node)} crashes at ${time(times.at)} ${times.rejoin === undefined ? "for good" : `and is up again at ${time(times.rejoin)}`}`;
    case "straggler":
      return `node ${words(node)} is ${factor(slowdown)} times slower ${interval(times)}`;
    case "linkDown":
      return `the link between nodes ${listOf(nodes).map(words).join(" and ")} is down ${interval(times)}`;
    case "partition": {
      const named = listOf(groups).map(listOf);
      const parts = named.map(nodesIn);
      if (parts.length === 1 || named.flat().length < size) parts.push("the others");
      return `a partition parts ${parts.join(" from ")} ${interval(times)}`;
    }
    default:
      return words(kind);
  }
}

function nodesIn(group: readonly ConfigValue[]): string {
  const left = group.length - MOST_NODES;
  return `${group.length === 1 ? "node" : "nodes"} ${group.slice(0, MOST_NODES).map(words).join(", ")}${left > 0 ? ` and ${formatCount(left)} more` : ""}`;
}

/** A newer version's config may hold what this one does not expect. */
const words = (value: ConfigValue | undefined): string =>
  typeof value === "string" ? value : JSON.stringify(value ?? null);
const numberOf = (value: ConfigValue | undefined): number => (typeof value === "number" ? value : Number.NaN);

const time = (value: ConfigValue | undefined): string => formatSeconds(numberOf(value ?? 0));

const factor = (value: ConfigValue | undefined): string =>
  formatCount(Number(numberOf(value).toPrecision(3)));

const interval = ({ from, until }: ConfigTree): string =>
  `from ${time(from)} ${until === undefined ? "on" : `to ${time(until)}`}`;

function onAndOff(what: string, value: ConfigValue | undefined, down: string): string | null {
  const { uptime, downtime } = treeOf(value);
  if (uptime === undefined || downtime === undefined) return null;
  return `${what}, after ${time(uptime)} on average, and ${down} for ${time(downtime)} on average.`;
}

function stragglerNote({ probability, slowdown, interval: seconds = 1 }: ConfigTree): string | null {
  if (probability === undefined) return null;
  return `In each interval of ${time(seconds)} a node is ${factor(slowdown)} times slower with a probability of ${formatPercent(numberOf(probability), 0)}.`;
}

function policyNotes(policy: ConfigTree, recovery: ConfigValue | undefined): readonly string[] {
  const { kind, seconds, fraction, reason } = policy;
  const missing: Readonly<Record<string, string>> = {
    wait: "When nodes are missing, the others wait for them.",
    timeout: `When nodes are missing, the others go on ${time(seconds)} after half of the nodes that run have come to an exchange.`,
    quorum: `When nodes are missing, the others go on ${time(seconds)} after ${formatPercent(numberOf(fraction), 0)} of all nodes have come to an exchange, and never with fewer.`,
    none: "Nodes do not wait for each other, so the others go on when some are missing.",
    stop: `A crash ends the run${typeof reason === "string" ? `: ${reason}` : ""}.`,
  };
  const back: Readonly<Record<string, string>> = {
    peer: "A node that was lost goes on with a copy of another node’s state.",
    checkpoint: "When a node that crashed is up again, all nodes go back to the last checkpoint.",
  };
  const known = [missing[words(kind)], kind === "stop" ? undefined : back[words(recovery)]];
  return known.filter((note) => note !== undefined);
}
