// 1-bit Adam: Adam at first; once its second moments have settled they are frozen, and of the first moments only signs
// are sent. Source: Tang et al., "1-bit Adam: communication efficient large-scale training with Adam's convergence speed"
// (arXiv 2102.02888), algorithm 1, with Adam's corrections for starting at zero. Errors are fed back on the nodes, not on
// the owners of shards.

import type { Codec } from "@atoll/comm";
import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd } from "@atoll/tensor";
import { allocateBeside, decayAndAdd } from "@atoll/tensor/vectors";
import { z } from "zod";
import { reducingSigns } from "../compressors/shardedSums.ts";
import { scalesOfShard, signs } from "../compressors/transcoded.ts";
import { sharedResult } from "../compressors/wire.ts";
import { decay, positive, steps } from "./optionSchemas.ts";
import { requirePlainSgd } from "./plainSgd.ts";
import { preparation, scratchPerNode } from "./preparation.ts";
import type { GradientStrategy, StrategyEntry, StrategyNode, StrategyState } from "./strategy.ts";
import { codedReduced, reduced } from "./traffic.ts";
import { WAIT } from "./whenMissing.ts";

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
 * start and computed in float32. A sign has the scale of its block, so that an element whose gradient is next to zero during the
 * warm-up, and whose v therefore is, moves far once v stays: train such elements (a frozen or unused layer) with another
 * strategy, or warm up until all have gradients. State: `mean`, `square`, the same on all ranks, and `residual`, each node's own error.
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
  const plain = signs(blockSize);
  const scratch = scratchPerNode(({ gradients }) => ({
    scales: new Map<number, Float32Array>(), // by the number of members
    direction: allocateBeside(gradients, gradients.length),
  }));
  const scalesFor = (node: StrategyNode): Float32Array => {
    const { gradients, communicator } = node;
    const { scales } = scratch(node);
    const members = communicator.worldSize;
    const length = members * scalesOfShard(gradients.length, { members, blockSize });
    const present = scales.get(members) ?? allocateBeside(gradients, length);
    scales.set(members, present);
    return present;
  };
  // A node alone sends nothing, so there is nothing to round either; nor is there in the first steps.
  const { prepare, take } = preparation(async (node, state): Promise<Codec> => {
    const { communicator, gradients, local, step } = node;
    if (step < warmupSteps) return plain;
    const { mean, residual } = momentsOf(state);
    const members = communicator.worldSize;
    if (members === 1) {
      await local.gradients();
      decayAndAdd(mean, gradients, { decay: b1, factor: 1 - b1 });
      return plain;
    }
    const scales = scalesFor(node);
    const vectors = { mean, residual, gradients, scales };
    await local.until(local.run({ operation: "oneBitEncode", vectors, numbers: { b1, blockSize, members } }));
    return reducingSigns(plain, blockSize, local.run, scales);
  });
  const shared = sharedResult<Promise<Float32Array>>();
  /** What the optimizer gets, computed once for all nodes that have been handed the same mean. */
  async function directionOf(node: StrategyNode, mean: Float32Array, square: Float32Array) {
    const { local, step } = node;
    const { direction } = scratch(node);
    const meanScale = 1 / (1 - b1 ** (step + 1));
    const rootScale = 1 / Math.sqrt(1 - b2 ** Math.min(step + 1, warmupSteps));
    const half = Math.ceil(direction.length / 2);
    const parts = [
      [0, half],
      [half, direction.length],
    ].map(([start, end]) => {
      const part = (vector: Float32Array): Float32Array => vector.subarray(start, end);
      const vectors = { gradients: part(direction), mean: part(mean), square: part(square) };
      return local.run({ operation: "adamDirection", vectors, numbers: { meanScale, rootScale, eps } });
    });
    await Promise.all(parts);
    return direction;
  }
  return {
    kind: "gradient",
    name: "onebitadam",
    config: { kind: "onebitadam", ...resolved },
    optimizer,
    whenMissing: WAIT,
    records: ["compressionError"],
    validate() {},
    init: ({ parameters: { length } }) => ({
      tensors: {
        mean: new Float32Array(length),
        square: new Float32Array(length),
        residual: new Float32Array(length),
      },
      values: {},
    }),
    prepare,
    async exchange(node, state) {
      const { communicator, gradients, local, step } = node;
      const codec = await take(node, state);
      const { mean, square } = momentsOf(state);
      if (step < warmupSteps) {
        await communicator.allReduce(gradients, { op: "mean" });
        const vectors = { mean, square, gradients };
        await local.until(local.run({ operation: "adamMoments", vectors, numbers: { b1, b2 } }));
        return local.until(directionOf(node, mean, square));
      }
      const signed = await communicator.allReduced(mean, { op: "mean", codec });
      void local.later({ operation: "copy", vectors: { to: mean, from: signed }, numbers: {} });
      return local.until(shared(signed, () => directionOf(node, signed, square)));
    },
  };
}

/** m, v and each node's own error. */
const momentsOf = ({ tensors }: StrategyState) => ({
  mean: tensors.mean!,
  square: tensors.square!,
  residual: tensors.residual!,
});

export const oneBitAdamEntry: StrategyEntry = {
  name: "onebitadam",
  summary: "Adam that sends only signs once its second moments are frozen (1-bit Adam)",
  options,
  optimizer: { kind: "sgd", learningRate: 1e-3 },
  traffic: ({ warmupSteps, blockSize }) => ({
    exchanges: [
      reduced({ every: 1, until: Number(warmupSteps) }),
      codedReduced(signs(Number(blockSize)), { every: 1, from: Number(warmupSteps) + 1 }),
    ],
  }),
  create: (values, optimizer) => oneBitAdam({ ...values, optimizer }),
};
