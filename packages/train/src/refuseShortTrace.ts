// A bandwidth trace that is certain to be over before the run's communication is: said before the run instead of hours into
// it. What is certain is the computing, which is drawn beforehand; communication only adds to it. A run that comes to the
// end of its trace all the same ends there with an error of the network.

import { ConfigError, formatSeconds, type Seconds } from "@atoll/core";
import type { ComputeModel } from "./compute.ts";
import type { Strategy } from "./strategies/index.ts";

export interface TracedRun {
  /** From when on no link has any bandwidth. */
  readonly networkEnd: Seconds;
  readonly nodes: number;
  readonly maxSteps: number;
  readonly strategy: Strategy;
  readonly compute: ComputeModel;
}

/** @throws ConfigError if node 0 computes beyond the network's end before it has to send for the last time */
export function refuseShortTrace({ networkEnd, nodes, maxSteps, strategy, compute }: TracedRun): void {
  if (networkEnd === Number.POSITIVE_INFINITY || nodes === 1) return;
  const last = lastExchange(strategy, maxSteps);
  let computed = 0;
  for (let step = 0; step < last; step++) {
    computed += compute.stepSeconds(0, step);
    if (computed <= networkEnd) continue;
    throw new ConfigError(
      `Option "network.trace": the bandwidth ends at ${formatSeconds(networkEnd)}, but the nodes compute longer than that and still exchange after step ${last}. Give a longer trace, let it start over with network.trace.repeat=true, or take fewer steps.`,
    );
  }
}

/**
 * A number of steps after which bytes are certain to move. Gradients do after every step. Of the moments at which parameters
 * are synchronised the last may only be the end of what was begun at the one before, so that one counts.
 */
function lastExchange(strategy: Strategy, maxSteps: number): number {
  if (strategy.kind === "gradient") return maxSteps;
  let before = 0;
  let last = 0;
  for (let next = strategy.localSteps(0); next <= maxSteps; next += strategy.localSteps(next)) {
    before = last;
    last = next;
  }
  return before;
}
