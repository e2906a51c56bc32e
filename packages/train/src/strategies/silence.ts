// Runs that end before their nodes exchange anything for the first time: quick, cheap, and no distributed training.

import { strategyEntries } from "./index.ts";
import { isAsynchronous, type Strategy } from "./strategy.ts";
import type { Exchange } from "./traffic.ts";

interface RunLength {
  readonly nodes: number;
  readonly maxSteps: number;
}

/** Says that no node sends anything; undefined where some do, or where there is nobody to send to. */
export function silenceOf(
  exchanges: readonly Exchange[],
  { nodes, maxSteps }: RunLength,
): string | undefined {
  return nodes === 1 ? undefined : silenceUntil(Math.min(...exchanges.map(firstStepOf)), maxSteps);
}

/** The same of a run's strategy, be it one that a config can name or one's own. */
export function silenceOfRun(strategy: Strategy, { nodes, maxSteps }: RunLength): string | undefined {
  const { kind: _, ...options } = strategy.config;
  const traffic = strategyEntries.find(({ name }) => name === strategy.name)?.traffic(options);
  if (traffic !== undefined && "exchanges" in traffic)
    return silenceOf(traffic.exchanges, { nodes, maxSteps });
  // A gradient strategy exchanges in its first step, an asynchronous one before it.
  if (nodes === 1 || strategy.kind === "gradient" || isAsynchronous(strategy)) return undefined;
  return silenceUntil(strategy.localSteps(0), maxSteps);
}

/** The step after which an exchange begins for the first time. */
function firstStepOf({ every, offset = 0, from = 1 }: Exchange): number {
  return from + ((((offset - from) % every) + every) % every);
}

const silenceUntil = (first: number, maxSteps: number): string | undefined =>
  first <= maxSteps
    ? undefined
    : `No node sends anything: they exchange for the first time after step ${first}, and the run ends after step ${maxSteps}, so each trains by itself. Let them exchange more often, as by a lower strategy.H, or train longer.`;
