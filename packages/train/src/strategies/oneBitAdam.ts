// 1-bit Adam: Adam at first; once its second moments have settled they are frozen, and of the first moments only signs
// are sent. Source: Tang et al., "1-bit Adam: communication efficient large-scale training with Adam's convergence speed"
// (arXiv 2102.02888), algorithm 1, with Adam's corrections for starting at zero. Errors are fed back on the nodes, not on
// the owners of shards.

import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd } from "@atoll/tensor";
import { z } from "zod";
import { sign } from "../compressors/sign.ts";
import { allReduceWithFeedback } from "./errorFeedback.ts";
import { decay, positive, steps } from "./optionSchemas.ts";
import { requirePlainSgd } from "./plainSgd.ts";
import type { GradientStrategy, StrategyEntry } from "./strategy.ts";

const options = z.strictObject({
  warmupSteps: z.int().min(1).default(100).describe("steps of Adam before second moments are frozen"),
  b1: decay(0.9, "decay of the first moment"),
  b2: decay(0.999, "decay of the second moment"),
  eps: positive(1e-8, "added to the root of the second moment"),
  blockSize: steps(4096, "elements that share a scale"),
});

export interface OneBitAdamOptions {
  /** Steps of Adam before second moments are frozen; the paper takes 15–20 % of the run. Default 100. */
  readonly warmupSteps?: number;
  /** Decay of the first moment. Default 0.9. */
  readonly b1?: number;
  /** Decay of the second moment. Default 0.999. */
  readonly b2?: number;
  /** Default 1e-8. */
  readonly eps?: number;
  /** Elements that share a scale. Default 4096. */
  readonly blockSize?: number;
  /** Steps along Adam's direction. Default SGD, learning rate 1e-3. */
  readonly optimizer?: Optimizer;
}

/**
 * In the first steps ḡ = mean gᵢ, m ← β₁m + (1 − β₁)ḡ, v ← β₂v + (1 − β₂)ḡ²; then v stays, and
 * m ← mean of sign-compressed (β₁m + (1 − β₁)gᵢ + errorᵢ). The optimizer gets m̂ / (√v̂ + eps), both corrected for their
 * start. State: `mean`, `square`, the same on all ranks, and `residual`, each node's own error.
 *
 * Bytes a node sends with a ring each step: 2(N−1)/N · 4P during warm-up, then about 2(N−1)/N · P/8.
 * @throws ConfigError if an option is out of its range, or if the optimizer is not plain SGD.
 */
export function oneBitAdam({
  optimizer = sgd({ learningRate: 1e-3 }),
  ...given
}: OneBitAdamOptions = {}): GradientStrategy {
  const resolved = parseConfig(options, given, "strategy");
  const { warmupSteps, b1, b2, eps, blockSize } = resolved;
  requirePlainSgd(optimizer, "onebitadam");
  const codec = sign({ blockSize });
  return {
    kind: "gradient",
    name: "onebitadam",
    config: { kind: "onebitadam", ...resolved },
    optimizer,
    validate() {},
    init: ({ parameters: { length } }) => ({
      tensors: {
        mean: new Float32Array(length),
        square: new Float32Array(length),
        residual: new Float32Array(length),
      },
      values: {},
    }),
    async exchange({ communicator, gradients, step }, { tensors }) {
      const mean = tensors.mean!;
      const square = tensors.square!;
      const warm = step < warmupSteps;
      if (warm) await communicator.allReduce(gradients, { op: "mean" });
      for (let i = 0; i < mean.length; i++) {
        const g = gradients[i]!;
        mean[i] = b1 * mean[i]! + (1 - b1) * g;
        if (warm) square[i] = b2 * square[i]! + (1 - b2) * g * g;
      }
      if (!warm) await allReduceWithFeedback(communicator, mean, tensors.residual!, codec);
      const meanScale = 1 / (1 - b1 ** (step + 1));
      const rootScale = 1 / Math.sqrt(1 - b2 ** Math.min(step + 1, warmupSteps));
      for (let i = 0; i < mean.length; i++)
        gradients[i] = (mean[i]! * meanScale) / (Math.sqrt(square[i]!) * rootScale + eps);
    },
  };
}

export const oneBitAdamEntry: StrategyEntry = {
  name: "onebitadam",
  summary: "Adam that sends only signs once its second moments are frozen (1-bit Adam)",
  options,
  optimizer: { kind: "sgd", learningRate: 1e-3 },
  create: (values, optimizer) => oneBitAdam({ ...values, optimizer }),
};
