// What a run on processes takes of options that are made for simulated machines, and what it does when a rank is lost.

import { ConfigError } from "@atoll/core";
import type { Network } from "@atoll/network";
import { type FaultPlan, planFaults, scheduleFaults } from "../../faults/policy.ts";
import type { FitSetup } from "../../fit.ts";
import type { ResolvedFitOptions } from "../../options.ts";
import type { MissingPolicy } from "../../strategies/whenMissing.ts";

/** @throws ConfigError for an option that only simulated machines can follow */
export function refuseSimulatedOnly({ options: { faults, compute, record } }: FitSetup): void {
  if (record !== undefined)
    throw new ConfigError(
      'Option "record": what is recorded beside losses compares the nodes\' memories, which simulated machines share and processes do not. Leave it out, or use mode=simulated.',
    );
  const { whenMissing: _, recovery: __, ...scheduled } = faults ?? {};
  const [name] = Object.entries(scheduled).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  if (name !== undefined)
    throw new ConfigError(
      `Option "faults.${name}": faults come about by themselves where nodes are processes; on a schedule they are for simulated machines. Leave it out, or use mode=simulated.`,
    );
  if (compute.kind === "measured" && compute.durations === undefined)
    throw new ConfigError(
      'Option "compute": steps of processes take the time that they take, so there is nothing to measure beforehand, got measured. Leave it out, or use mode=simulated.',
    );
}

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
