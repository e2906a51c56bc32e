// NoLoCo: an outer step without any collective among all nodes. Each round pairs the nodes at random; a pair averages
// its changes, and a pull towards the partner's parameters keeps all of them together.
// Source: Kolehmainen et al., "NoLoCo: no-all-reduce low communication training method for large models"
// (arXiv 2506.10911), algorithm 1.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { allocateBeside } from "@atoll/tensor/vectors";
import { z } from "zod";
import { islandOf } from "./islands.ts";
import { decay, positive, steps } from "./optionSchemas.ts";
import { stepsUntil } from "./outerStep.ts";
import { scratchPerNode } from "./preparation.ts";
import type { ParameterStrategy, StrategyEntry } from "./strategy.ts";
import { reduced } from "./traffic.ts";
import { GO_ON } from "./whenMissing.ts";

const options = z.strictObject({
  H: steps(50, "inner steps between two rounds"),
  learningRate: positive(0.7, "outer learning rate η"),
  momentum: decay(0.5, "outer momentum μ"),
});

export interface NoLoCoOptions {
  /** Inner steps between two rounds. Default 50. */
  readonly H?: number;
  /** Outer learning rate η. Default 0.7. */
  readonly learningRate?: number;
  /** Outer momentum μ. Default 0.5. */
  readonly momentum?: number;
  /** The inner optimizer. Default AdamW. */
  readonly optimizer?: Optimizer;
}

/**
 * Every H steps the ranks are paired by a shuffle that all draw alike. With φᵢ the start of node i's round and
 * Δᵢ = θᵢ − φᵢ, both nodes of a pair take m ← μm + η·(mean of Δ) + η·(mean of φ − φᵢ), φᵢ ← φᵢ + m, θᵢ ← φᵢ. A node that
 * is left over does the same by itself. State: `anchor` (φ) and `momentum` (m), each node's own.
 *
 * Bytes a node sends: 8P every H steps, whatever the number of nodes. With η = 1 and μ = 0 it averages pairs.
 * @throws ConfigError if an option is out of its range.
 */
export function noLoCo({ optimizer = adamW(), ...given }: NoLoCoOptions = {}): ParameterStrategy {
  const { H, learningRate, momentum } = parseConfig(options, given, "strategy");
  /** Δ, then φ */
  const sent = scratchPerNode(({ parameters }) => allocateBeside(parameters, 2 * parameters.length));
  return {
    kind: "parameter",
    name: "noloco",
    config: { kind: "noloco", H, learningRate, momentum },
    optimizer,
    whenMissing: GO_ON,
    records: ["outerCosine"],
    validate() {},
    init: ({ parameters }) => ({
      tensors: { anchor: Float32Array.from(parameters), momentum: new Float32Array(parameters.length) },
      values: {},
    }),
    localSteps: (step) => stepsUntil(step, H),
    async synchronise(node, { tensors }) {
      const { parameters, communicator, local, record } = node;
      const anchor = tensors.anchor!;
      const means = sent(node);
      const change = means.subarray(0, parameters.length);
      const mean = means.subarray(parameters.length);
      const subtraction = { out: change, a: parameters, b: anchor };
      await local.until(
        Promise.all([
          local.run({ operation: "subtract", vectors: subtraction, numbers: {} }),
          local.run({ operation: "copy", vectors: { to: mean, from: anchor }, numbers: {} }),
        ]),
      );
      // Signs do not matter to a cosine as long as all nodes have the same.
      record?.outerGradient?.(change);
      const pair = islandOf(node, 2, node.step / H);
      await (pair === undefined ? communicator : communicator.group(pair)).allReduce(means, { op: "mean" });
      const vectors = { out: parameters, anchor, change, mean, velocity: tensors.momentum! };
      void local.later({ operation: "pairStep", vectors, numbers: { learningRate, momentum } });
    },
  };
}

export const noLoCoEntry: StrategyEntry = {
  name: "noloco",
  summary: "H inner steps, then an outer step with one random partner (NoLoCo)",
  options,
  traffic: ({ H }) => ({
    exchanges: [
      reduced({
        every: Number(H),
        groupSize: 2,
        bytes: ({ elements, floatBytes }) => 2 * floatBytes * elements,
      }),
    ],
  }),
  create: (values, optimizer) => noLoCo({ ...values, optimizer }),
};
