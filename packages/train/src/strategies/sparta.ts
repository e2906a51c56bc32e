// SPARTA: every step a small random part of the parameters is averaged, so that the nodes' models never drift far apart.
// Source: "Improving the efficiency of distributed training using sparse parameter averaging" (openreview stFPf3gzq1).
// Selectors, interval and delay are EXO Gym's. Unlike there, no mask is sent: it would weigh 50 times the payload.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { stepsUntil } from "./outerStep.ts";
import {
  type SparseAveragingOptions,
  sparseAveraging,
  sparseAveragingOptions,
  sparseTraffic,
} from "./sparseAveraging.ts";
import type { ParameterStrategy, StrategyEntry } from "./strategy.ts";
import { GO_ON } from "./whenMissing.ts";

const options = z.strictObject(sparseAveragingOptions);

export interface SpartaOptions extends SparseAveragingOptions {
  /** The optimizer of the local steps. Default AdamW. */
  readonly optimizer?: Optimizer;
}

/**
 * Every `interval` steps θ[S] ← (1/N) Σᵢ θᵢ[S] for a set S of ⌊pP⌋ parameters that all ranks draw alike. With a delay d
 * the average of a round is written back d rounds later, over what the local steps have made of those parameters since.
 * Defaults: p 0.005, drawn anew each step, no delay.
 *
 * Bytes a node sends with a ring: 2(N−1)/N · 4⌊pP⌋ every `interval` steps. With p = 1 it is full averaging.
 * @throws ConfigError if an option is out of its range.
 */
export function sparta({ optimizer = adamW(), ...given }: SpartaOptions = {}): ParameterStrategy {
  const resolved = parseConfig(options, given, "strategy");
  const averaging = sparseAveraging(resolved);
  return {
    kind: "parameter",
    name: "sparta",
    config: { kind: "sparta", ...resolved },
    optimizer,
    whenMissing: GO_ON,
    validate() {},
    init: ({ parameters }) => ({ tensors: averaging.state(parameters.length), values: {} }),
    localSteps: (step) => stepsUntil(step, resolved.interval),
    synchronise: (node, { tensors }) => averaging.average(node, tensors),
  };
}

export const spartaEntry: StrategyEntry = {
  name: "sparta",
  summary: "average a small random part of the parameters every step (SPARTA)",
  options,
  traffic: (values) => ({ exchanges: [sparseTraffic(values)] }),
  create: (values, optimizer) => sparta({ ...values, optimizer }),
};
