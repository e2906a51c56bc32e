// Options that only simulated machines can follow: a run on processes refuses them, before anything is started for it.

import { ConfigError } from "@atoll/core";
import type { ComputeOptions } from "./compute.ts";
import type { FaultyRunOptions } from "./faults/policy.ts";

/** Of the options as they are given, or as they are resolved. */
interface Chosen {
  readonly faults?: FaultyRunOptions | undefined;
  readonly compute?: ComputeOptions | undefined;
  readonly record?: object | undefined;
}

const REMEDY = "Leave it out, or use mode=simulated.";

/** @throws ConfigError that names the option, and says why and what to do */
export function refuseSimulatedOnly({ faults = {}, compute, record }: Chosen): void {
  if (record !== undefined)
    throw new ConfigError(
      `Option "record": what is recorded beside losses compares the nodes' memories, which simulated machines share and processes do not. ${REMEDY}`,
    );
  const { whenMissing: _, recovery, ...scheduled } = faults;
  const [name] = Object.entries(scheduled).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  if (name !== undefined)
    throw new ConfigError(
      `Option "faults.${name}": faults come about by themselves where nodes are processes; on a schedule or at random they are for simulated machines. ${REMEDY}`,
    );
  if (recovery === "checkpoint")
    throw new ConfigError(
      `Option "faults.recovery": a process that comes back copies another's state, expected peer, got checkpoint. ${REMEDY}`,
    );
  if (compute?.kind === "measured" && compute.durations === undefined)
    throw new ConfigError(
      `Option "compute": steps of processes take the time that they take, so there is nothing to measure beforehand, got measured. ${REMEDY}`,
    );
}
