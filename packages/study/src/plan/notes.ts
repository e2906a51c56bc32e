// The network that a plan is for, and what the plan leaves out of it, in words: better said than found out.

import { type ConfigTree, createRandom, formatSeconds } from "@atoll/core";
import { resolveNetwork } from "@atoll/network";
import { silenceOf } from "@atoll/train";
import { formatRate } from "../format.ts";
import type { PlanOptions } from "./plan.ts";

type Placed = Pick<PlanOptions, "network" | "nodes" | "seed">;

const configOf = ({ network, nodes, seed }: Placed): ConfigTree =>
  resolveNetwork(network, { worldSize: nodes, random: createRandom(seed).derive("network") }).config;

/** "ring, wan: 10 MB/s to 100 MB/s, latency 10 ms to 50 ms (seed 0)": what the plan's times and utilisation rest on. */
export function describeNetwork(options: Placed): string {
  const { topology, profile, bandwidth, latency, between, links } = configOf(options);
  const ranges = [spanOf(bandwidth, formatRate), `latency ${spanOf(latency, formatSeconds)}`];
  const isDrawn = ranges.some((range) => range.includes(" to "));
  return [
    `${String(topology).replaceAll("_", " ")}, ${String(profile)}: ${ranges.join(", ")}`,
    between === undefined ? "" : "; other links between islands",
    links === undefined ? "" : "; some links with values of their own",
    isDrawn ? ` (seed ${options.seed})` : "",
  ].join("");
}

function spanOf(range: ConfigTree[string] | undefined, format: (value: number) => string): string {
  const [low, high] = range as readonly [number, number];
  return low === high ? format(low) : `${format(low)} to ${format(high)}`;
}

/** @param assumes what the strategy's bytes assume of the model */
export function planNotes(
  {
    network,
    nodes,
    seed,
    exchanges,
    maxSteps,
    parameters,
  }: Placed & Pick<PlanOptions, "exchanges" | "maxSteps" | "parameters">,
  assumes: string | undefined,
): readonly string[] {
  const config = configOf({ network, nodes, seed });
  const [, loss] = config.loss as readonly [number, number];
  const isLossy = loss > 0 && config.congestion === "none";
  const changes = network.trace !== undefined || network.background !== undefined;
  const early = exchanges.find(({ until }) => until !== undefined)?.until;
  const silence = silenceOf(exchanges, { nodes, maxSteps, parameters });
  return [
    ...(silence === undefined ? [] : [silence]),
    ...(assumes === undefined ? [] : [`Assumed: ${assumes}.`]),
    ...(early === undefined ? [] : [`Utilisation and bandwidth are those after step ${early}.`]),
    ...(isLossy
      ? ["Lost packets are not in the plan: the network has some. Simulate a run, or set network.congestion."]
      : []),
    ...(network.tcp === "rounds"
      ? ["TCP counts by its mean rate under the links' loss, not by drawn round trips."]
      : []),
    ...(network.slowStart === true || network.tcp === "rounds"
      ? ["Slow start is not in the plan: connections are open and warm."]
      : []),
    ...(network.nic === undefined
      ? []
      : ["Required bandwidths suppose NICs as fast as the links, whatever network.nic says."]),
    ...(changes ? ["Bandwidth that changes over time counts by its mean."] : []),
  ];
}
