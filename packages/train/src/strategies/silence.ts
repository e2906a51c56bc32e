// Runs whose nodes exchange nothing, since they end before the first exchange or since nothing is in any: quick, cheap, and
// no distributed training.

import { strategyEntries } from "./index.ts";
import { isAsynchronous, type Strategy } from "./strategy.ts";
import type { Exchange } from "./traffic.ts";

interface RunSize {
  readonly nodes: number;
  readonly maxSteps: number;
  readonly parameters: number;
}

/** Says that no node sends anything; undefined where some do, or where there is nobody to send to. */
export function silenceOf(exchanges: readonly Exchange[], size: RunSize): string | undefined {
  if (size.nodes === 1) return undefined;
  const some = exchanges.filter((exchange) => sendsSomething(exchange, size));
  if (some.length === 0)
    return "No node sends anything: each is a group of its own, or its share of the model comes to less than one element, so each trains by itself. Raise what decides it, as strategy.islandSize or strategy.p.";
  return silenceUntil(Math.min(...some.map(firstStepOf)), size.maxSteps);
}

/** The same of a run's strategy, be it one that a config can name or one's own. */
export function silenceOfRun(strategy: Strategy, size: RunSize): string | undefined {
  const { kind: _, ...options } = strategy.config;
  const traffic = strategyEntries.find(({ name }) => name === strategy.name)?.traffic(options);
  if (traffic !== undefined && "exchanges" in traffic) return silenceOf(traffic.exchanges, size);
  // A gradient strategy exchanges in its first step, an asynchronous one before it.
  if (size.nodes === 1 || strategy.kind === "gradient" || isAsynchronous(strategy)) return undefined;
  return silenceUntil(strategy.localSteps(0), size.maxSteps);
}

function sendsSomething(exchange: Exchange, { nodes, parameters }: RunSize): boolean {
  const { groupSize = nodes } = exchange;
  const model = { elements: parameters, layers: 1, members: Math.min(groupSize, nodes), floatBytes: 4 };
  return groupSize > 1 && exchange.bytes(model) > 0;
}

/** The step after which an exchange begins for the first time. */
function firstStepOf({ every, offset = 0, from = 1 }: Exchange): number {
  return from + ((((offset - from) % every) + every) % every);
}

const silenceUntil = (first: number, maxSteps: number): string | undefined =>
  first <= maxSteps
    ? undefined
    : `No node sends anything: they exchange for the first time after step ${first}, and the run ends after step ${maxSteps}, so each trains by itself. Let them exchange more often, as by a lower strategy.H, or train longer.`;
