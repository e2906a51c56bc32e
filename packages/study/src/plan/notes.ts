// What a plan leaves out of the network that it was given, in sentences: better said than found out.

import { createRandom } from "@atoll/core";
import { resolveNetwork } from "@atoll/network";
import type { PlanOptions } from "./plan.ts";

/** @param assumes what the strategy's bytes assume of the model */
export function planNotes(
  { network, nodes, seed, exchanges }: PlanOptions,
  assumes: string | undefined,
): readonly string[] {
  const { config } = resolveNetwork(network, {
    worldSize: nodes,
    random: createRandom(seed).derive("network"),
  });
  const [, loss] = config.loss as readonly [number, number];
  const isLossy = loss > 0 && config.congestion === "none";
  const changes = network.trace !== undefined || network.background !== undefined;
  const early = exchanges.find(({ until }) => until !== undefined)?.until;
  return [
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
