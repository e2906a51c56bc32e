// Outer optimizers: they turn the nodes' mean change of a round (the outer gradient Δ = θ₀ − θ̄) into the next common
// parameters. They run on the node's own vectors, outside the traced step, since they act once every H steps.

import type { ConfigTree } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { z } from "zod";
import type { LocalTask, OuterUpdateName } from "../localTask.ts";
import { nesterovUpdate } from "./outerUpdates.ts";

export interface OuterOptimizer {
  readonly config: ConfigTree;
  /** State vectors by name, each as long as the parameters, with the value that they are filled with at first. */
  readonly slots: Readonly<Record<string, number>>;
  /** `update`, as an operation for the worker threads. An optimizer of one's own needs none. */
  readonly task?: Pick<LocalTask, "numbers"> & { readonly operation: OuterUpdateName };
  /** Moves `parameters` (the round's start θ₀) along the outer gradient; changes `parameters` and the slots in place. */
  update(
    parameters: Float32Array,
    outerGradient: Float32Array,
    slots: Readonly<Record<string, Float32Array>>,
  ): void;
}

const options = z.strictObject({
  learningRate: z.number().positive().default(0.7).describe("outer learning rate η"),
  momentum: z.number().min(0).lt(1).default(0.9).describe("outer Nesterov momentum μ"),
});

/** Nesterov's options, for configs. */
export const nesterovOptions: z.ZodObject = options;

export interface NesterovOptions {
  /** η. Default 0.7. */
  readonly learningRate?: number;
  /** μ. Default 0.9. */
  readonly momentum?: number;
}

/**
 * SGD with Nesterov momentum, PyTorch's form: m ← μm + Δ; θ ← θ₀ − η(Δ + μm).
 * Defaults are DiLoCo's (arXiv 2311.08105, §3.1): η 0.7, μ 0.9. With η = 1 and μ = 0 the next parameters are the mean.
 * @throws ConfigError for a number out of range.
 */
export function nesterov(given: NesterovOptions = {}): OuterOptimizer {
  const { learningRate, momentum } = parseConfig(options, given, "strategy.outer");
  return {
    config: { kind: "nesterov", learningRate, momentum },
    slots: { momentum: 0 },
    task: { operation: "nesterovOuter", numbers: { learningRate, momentum } },
    update: (anchor, change, slots) =>
      nesterovUpdate({ anchor, change, ...slots }, { learningRate, momentum }),
  };
}
