// SPARTA within DiLoCo: between two outer steps, a small part of the parameters is averaged every few steps, which lets H
// be larger. Source: the SPARTA paper (openreview stFPf3gzq1), §4; DiLoCo is arXiv 2311.08105.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { decay, positive, steps } from "./optionSchemas.ts";
import { type NesterovOptions, nesterov, type OuterOptimizer } from "./outerOptimizer.ts";
import { outerState, outerStep, stepsUntil } from "./outerStep.ts";
import {
  type SparseAveragingOptions,
  sparseAveraging,
  sparseAveragingOptions,
  sparseTraffic,
} from "./sparseAveraging.ts";
import type { ParameterStrategy, StrategyEntry } from "./strategy.ts";
import { reduced } from "./traffic.ts";
import { GO_ON } from "./whenMissing.ts";

const options = z.strictObject({
  ...sparseAveragingOptions,
  H: steps(100, "inner steps between two outer steps"),
});

const outerOptions = z
  .strictObject({
    learningRate: positive(0.7, "outer learning rate η"),
    momentum: decay(0.9, "outer Nesterov momentum μ"),
  })
  .prefault({});

export interface SpartaDiLoCoOptions extends SparseAveragingOptions {
  /** Inner steps between two outer steps. Default 100. */
  readonly H?: number;
  /** The inner optimizer. Default AdamW. */
  readonly optimizer?: Optimizer;
  /** Default `nesterov()`. */
  readonly outer?: OuterOptimizer;
}

/**
 * Every `interval` steps what `sparta` does, every H steps what `diLoCo` does; where both are due, in this order.
 *
 * Bytes a node sends with a ring: 2(N−1)/N · 4⌊pP⌋ every `interval` steps and 2(N−1)/N · 4P every H. With p = 0 it is
 * DiLoCo.
 * @throws ConfigError if an option is out of its range.
 */
export function spartaDiLoCo({
  optimizer = adamW(),
  outer = nesterov(),
  ...given
}: SpartaDiLoCoOptions = {}): ParameterStrategy {
  const { H, ...sparse } = parseConfig(options, given, "strategy");
  const averaging = sparseAveraging(sparse);
  return {
    kind: "parameter",
    name: "spartadiloco",
    config: { kind: "spartadiloco", H, ...sparse, outer: outer.config },
    optimizer,
    whenMissing: GO_ON,
    records: ["outerCosine"],
    validate() {},
    init: ({ parameters }) => ({
      tensors: { ...outerState(outer, parameters), ...averaging.state(parameters.length) },
      values: {},
    }),
    localSteps: (step) => Math.min(stepsUntil(step, sparse.interval), stepsUntil(step, H)),
    async synchronise(node, { tensors }) {
      if (node.step % sparse.interval === 0) await averaging.average(node, tensors);
      if (node.step % H === 0) await outerStep(node, tensors, outer);
    },
  };
}

export const spartaDiLoCoEntry: StrategyEntry = {
  name: "spartadiloco",
  summary: "DiLoCo that also averages a small part of the parameters every few steps",
  options: options.extend({ outer: outerOptions }),
  traffic: ({ H, ...values }) => ({
    exchanges: [sparseTraffic(values), reduced({ every: Number(H) })],
  }),
  create: ({ outer, ...values }, optimizer) =>
    spartaDiLoCo({ ...values, optimizer, outer: nesterov(outer as NesterovOptions) }),
};
