// What a run on processes does when a rank is lost.

import type { Network } from "@atoll/network";
import { type FaultPlan, planFaults, scheduleFaults } from "../../faults/policy.ts";
import type { FitSetup } from "../../fit.ts";
import type { ResolvedFitOptions } from "../../options.ts";
import type { MissingPolicy } from "../../strategies/whenMissing.ts";

/** What the nodes do when one is lost: as on simulated machines, where no fault is known beforehand. */
export function planOf(
  { options: { faults = {}, strategy, nodes }, random }: FitSetup,
  network: Network,
): FaultPlan {
  const schedule = scheduleFaults(faults, { worldSize: nodes, random: random.derive("faults") });
  return planFaults(faults, strategy, { schedule, topology: network.topology });
}

/** Nodes that wait for all are ready to be one less only if they are asked to: each exchange costs a copy of the node then. */
export const doesSurvive = ({ kind }: MissingPolicy, { nodes, faults }: ResolvedFitOptions): boolean =>
  nodes > 1 && (kind === "timeout" || kind === "quorum" || (kind === "wait" && faults !== undefined));
