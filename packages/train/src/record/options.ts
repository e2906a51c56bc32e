// What a run can be asked to record beside its losses, and of which strategies that can be had. Recording reads the nodes'
// vectors and changes none: numbers and simulated times of a run are the same with it and without it, to the bit.
//
// correlation       mean over all pairs of nodes of the Pearson correlation of their parameters, each as one vector
// gradientNorm      L2 norm of a node's gradient of a step, before anything is done to it: no exchange, no clipping
// outerCosine       mean over all pairs of nodes of the cosine of their outer gradients θ₀ − θᵢ: by what their parameters
//                   have changed since the round began, at a synchronisation
// compressionError  ‖x − decode(encode(x))‖ / ‖x‖ for what a node encodes to send it, error feedback included

import {
  ConfigError,
  type ConfigTree,
  RECORDED_QUANTITIES,
  type RecordedQuantity,
  unknownName,
} from "@atoll/core";
import { createOptimizer, type OptimizerConfig, optimizerEntries } from "../optimizers.ts";
import { type Strategy, type StrategyEntry, strategyEntries } from "../strategies/index.ts";

export interface RecordOptions {
  readonly quantities: readonly RecordedQuantity[];
  /**
   * Steps between two records. Left out: correlations are recorded as often as there are evaluations (every `valInterval`
   * steps), everything else whenever there is something to record. What a parameter strategy does when it synchronises is
   * recorded each time, whatever the interval.
   */
  readonly interval?: number | undefined;
}

/** What is recorded, and after which steps. */
export interface RecordPlan {
  readonly config: ConfigTree;
  /** Steps between two correlations; 0 for none. */
  readonly correlationInterval: number;
  /** Whether something is recorded after so many steps. */
  isDue(quantity: Exclude<RecordedQuantity, "correlation">, step: number): boolean;
}

export interface RecordedRun {
  readonly strategy: Strategy;
  readonly nodes: number;
  readonly valInterval: number;
}

const KNOWN: Readonly<Record<keyof RecordOptions, true>> = { quantities: true, interval: true };

/**
 * @throws ConfigError for an unknown quantity or option, an interval below 1, and for what a run does not have: pairs of
 *   nodes, outer gradients, an encoding
 */
export function planRecord(given: RecordOptions, run: RecordedRun): RecordPlan {
  const { quantities, interval } = given;
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(KNOWN, name));
  if (unknown !== undefined) throw unknownName("option of record", unknown, Object.keys(KNOWN));
  for (const quantity of quantities) check(quantity, run);
  if (interval !== undefined && !(Number.isSafeInteger(interval) && interval >= 1))
    throw new ConfigError(`Option "record.interval": expected an integer of at least 1, got ${interval}.`);
  const chosen = new Set<RecordedQuantity>(quantities);
  const ofEveryStep = (quantity: RecordedQuantity): boolean =>
    quantity === "gradientNorm" || run.strategy.kind === "gradient";
  return {
    config: {
      quantities: RECORDED_QUANTITIES.filter((quantity) => chosen.has(quantity)),
      ...(interval === undefined ? {} : { interval }),
    },
    correlationInterval: chosen.has("correlation") ? (interval ?? run.valInterval) : 0,
    isDue: (quantity, step) =>
      chosen.has(quantity) && (interval === undefined || !ofEveryStep(quantity) || step % interval === 0),
  };
}

function check(quantity: RecordedQuantity, { strategy, nodes }: RecordedRun): void {
  switch (quantity) {
    case "gradientNorm":
      return;
    case "correlation":
      refuseOne(quantity, nodes, "there are no pairs to correlate");
      return;
    case "outerCosine":
      refuseWithout(quantity, strategy, "its nodes have no rounds at whose end they exchange changes");
      refuseOne(quantity, nodes, "there are no pairs to compare");
      return;
    case "compressionError":
      refuseWithout(quantity, strategy, "with these options its nodes send numbers as they are");
      refuseOne(quantity, nodes, "nothing is sent");
      return;
    default:
      throw unknownName("quantity to record", String(quantity satisfies never), RECORDED_QUANTITIES);
  }
}

function refuseOne(quantity: RecordedQuantity, nodes: number, reason: string): void {
  if (nodes > 1) return;
  throw new ConfigError(
    `Option "record": ${quantity} takes 2 nodes or more, got ${nodes}: of a node alone ${reason}. Raise nodes, or leave ${quantity} out.`,
  );
}

function refuseWithout(
  quantity: Exclude<RecordedQuantity, "correlation" | "gradientNorm">,
  { name, records = [] }: Strategy,
  reason: string,
): void {
  if (records.includes(quantity)) return;
  const others = strategyEntries.filter((entry) => usual(entry).records?.includes(quantity));
  throw new ConfigError(
    `Option "record": strategy "${name}" has no ${quantity}: ${reason}. Leave ${quantity} out, or choose one of ${others.map((entry) => entry.name).join(", ")}.`,
  );
}

/** A strategy with its default options and optimizer. */
function usual({ create, options, optimizer = { kind: "adamw" } }: StrategyEntry): Strategy {
  const { kind, ...given } = optimizer;
  const entry = optimizerEntries.find(({ name }) => name === kind)!;
  const config = { kind, ...entry.options.parse(given) } as OptimizerConfig;
  return create(options.parse({}), createOptimizer(config, undefined));
}
