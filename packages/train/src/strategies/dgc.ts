// Deep gradient compression: of every step's gradients only the largest are sent; the others wait, with their momentum,
// until they have grown. Source: Lin et al., "Deep gradient compression" (arXiv 1712.01887), §3: momentum correction and
// momentum factor masking. The paper's warm-up of the density and its local clipping are left to learning-rate schedules
// and to the optimizer.

import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd } from "@atoll/tensor";
import { z } from "zod";
import { bitsOf, createTopK } from "../compressors/topK.ts";
import { sharedResult } from "../compressors/wire.ts";
import { decay } from "./optionSchemas.ts";
import type { GradientStrategy, StrategyEntry } from "./strategy.ts";

const options = z.strictObject({
  density: z.number().positive().max(1).default(0.001).describe("part of the gradients that is sent"),
  momentum: decay(0.9, "momentum m, kept by each node for itself"),
});

export interface DgcOptions {
  /** Part of the gradients that is sent. Default 0.001. */
  readonly density?: number;
  /** Default 0.9. */
  readonly momentum?: number;
  /** Applies the mean; it needs no momentum of its own. Default SGD, learning rate 0.1. */
  readonly optimizer?: Optimizer;
}

/**
 * u ← mu + g; v ← v + u; the k = max(1, ⌊density · P⌋) elements of v with the largest magnitudes are sent, and cleared in
 * u and v; the optimizer gets the mean over the nodes of what was sent. State: `velocity` (u) and `residual` (v).
 *
 * Bytes a node sends each step: 8k(N−1), an index and a value for each element. With density 1 it is DDP.
 * @throws ConfigError if an option is out of its range.
 */
export function dgc({ optimizer = sgd({ learningRate: 0.1 }), ...given }: DgcOptions = {}): GradientStrategy {
  const { density, momentum } = parseConfig(options, given, "strategy");
  const shared = sharedResult();
  return {
    kind: "gradient",
    name: "dgc",
    config: { kind: "dgc", density, momentum },
    optimizer,
    validate() {},
    init: ({ parameters: { length } }) => ({
      tensors: { velocity: new Float32Array(length), residual: new Float32Array(length) },
      values: {},
    }),
    async exchange({ communicator, gradients }, { tensors }) {
      const velocity = tensors.velocity!;
      const residual = tensors.residual!;
      for (let i = 0; i < gradients.length; i++) {
        velocity[i] = momentum * velocity[i]! + gradients[i]!;
        residual[i]! += velocity[i]!;
      }
      const indices = largest(residual, Math.max(1, Math.floor(density * residual.length)));
      const message = new Float32Array(2 * indices.length); // indices, then values
      bitsOf(message).set(indices);
      for (let j = 0; j < indices.length; j++) {
        const index = indices[j]!;
        message[indices.length + j] = residual[index]!;
        residual[index] = 0;
        velocity[index] = 0;
      }
      const parts = await communicator.allGather(message);
      gradients.set(shared(parts, () => meanOf(parts, gradients.length)));
    },
  };
}

function largest(x: Float32Array, k: number): Uint32Array {
  const indices = new Uint32Array(k);
  createTopK(x.length)(bitsOf(x), { start: 0, end: x.length, k }, indices, 0);
  return indices;
}

/** The mean of sparse vectors, in the order of their ranks. */
function meanOf(messages: readonly Float32Array[], length: number): Float32Array {
  const mean = new Float32Array(length);
  for (const message of messages) {
    const k = message.length / 2;
    const indices = bitsOf(message).subarray(0, k);
    for (let j = 0; j < k; j++) mean[indices[j]!]! += message[k + j]! / messages.length;
  }
  return mean;
}

export const dgcEntry: StrategyEntry = {
  name: "dgc",
  summary: "send the largest gradients, let the others grow (deep gradient compression)",
  options,
  optimizer: { kind: "sgd", learningRate: 0.1 },
  create: (values, optimizer) => dgc({ ...values, optimizer }),
};
