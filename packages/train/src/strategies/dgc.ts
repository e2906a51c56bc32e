// Deep gradient compression: of every step's gradients only the largest are sent; the others wait, with their momentum,
// until they have grown. Source: Lin et al., "Deep gradient compression" (arXiv 1712.01887), §3: momentum correction and
// momentum factor masking. The paper's warm-up of the density and its local clipping are left to learning-rate schedules
// and to the optimizer.

import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd } from "@atoll/tensor";
import { allocateBeside } from "@atoll/tensor/vectors";
import { z } from "zod";
import { encodingOfSelection } from "../compressors/encoding.ts";
import { candidateRoom } from "../compressors/sparse.ts";
import { bitsOf } from "../compressors/topK.ts";
import { sharedResult } from "../compressors/wire.ts";
import { decay } from "./optionSchemas.ts";
import { requireNoMomentum } from "./plainSgd.ts";
import { preparation, scratchPerNode } from "./preparation.ts";
import type { GradientStrategy, StrategyEntry } from "./strategy.ts";
import { gathered } from "./traffic.ts";
import { WAIT } from "./whenMissing.ts";

const options = z.strictObject({
  density: z.number().positive().max(1).default(0.001).describe("part of the gradients that is sent"),
  momentum: decay(0.9, "momentum m, kept by each node for itself"),
});

export interface DgcOptions {
  /** Part of the gradients that is sent. Default 0.001. */
  readonly density?: number;
  /** Default 0.9; 0 for plain error feedback. */
  readonly momentum?: number;
  /** Applies the mean; it may have momentum of its own only where `momentum` is 0. Default SGD, learning rate 0.1. */
  readonly optimizer?: Optimizer;
}

/**
 * u ← mu + g; v ← v + u; the k = max(1, ⌊density · P⌋) elements of v with the largest magnitudes are sent, and cleared in
 * u and v; the optimizer gets the mean over the nodes of what was sent. State: `velocity` (u) and `residual` (v).
 *
 * Bytes a node sends each step: 8k(N−1), an index and a value for each element. With density 1 it is DDP.
 * @throws ConfigError if an option is out of its range, or if the optimizer has momentum, too.
 */
export function dgc({ optimizer = sgd({ learningRate: 0.1 }), ...given }: DgcOptions = {}): GradientStrategy {
  const { density, momentum } = parseConfig(options, given, "strategy");
  requireNoMomentum(optimizer, { strategy: "dgc", momentum });
  const scratch = scratchPerNode(({ parameters }) => {
    const k = sentElements(density, parameters.length);
    return {
      message: allocateBeside(parameters, 2 * k), // indices, then values
      candidates: allocateBeside(parameters, candidateRoom(k)),
      threshold: allocateBeside(parameters, 1),
      mean: allocateBeside(parameters, parameters.length),
      written: new Set<Float32Array>(), // messages whose elements are in the mean
    };
  });
  const shared = sharedResult();
  const { prepare, take } = preparation(async (node, state) => {
    const { velocity, residual } = state.tensors;
    const { message, candidates, threshold } = scratch(node);
    const { gradients, local } = node;
    const own = { velocity: velocity!, residual: residual!, gradients };
    const vectors = { ...own, message, candidates, threshold };
    await local.until(local.run({ operation: "dgcEncode", vectors, numbers: { momentum } }));
    return message;
  });
  return {
    kind: "gradient",
    name: "dgc",
    config: { kind: "dgc", density, momentum },
    optimizer,
    whenMissing: WAIT,
    records: ["compressionError"],
    validate() {},
    init: ({ parameters: { length } }) => ({
      tensors: { velocity: new Float32Array(length), residual: new Float32Array(length) },
      values: {},
    }),
    prepare,
    async exchange(node, state) {
      const own = await take(node, state);
      node.record?.encoded?.(() =>
        encodingOfSelection(state.tensors.residual!, own.subarray(own.length / 2)),
      );
      const parts = await node.communicator.allGather(own);
      return shared(parts, () => {
        const { mean, written } = scratch(node);
        for (const message of written) for (const index of indicesOf(message)) mean[index] = 0;
        written.clear();
        for (const message of parts) written.add(message);
        addMean(parts, mean);
        return mean;
      });
    },
  };
}

const sentElements = (density: number, length: number): number => Math.max(1, Math.floor(density * length));

const indicesOf = (message: Float32Array): Uint32Array => bitsOf(message).subarray(0, message.length / 2);

/** Adds the mean of sparse vectors, in the order of their ranks. */
function addMean(messages: readonly Float32Array[], mean: Float32Array): void {
  for (const message of messages)
    for (const [j, index] of indicesOf(message).entries())
      mean[index]! += message[message.length / 2 + j]! / messages.length;
}

export const dgcEntry: StrategyEntry = {
  name: "dgc",
  summary: "send the largest gradients, let the others grow (deep gradient compression)",
  options,
  optimizer: { kind: "sgd", learningRate: 0.1 },
  traffic: ({ density }) => ({
    exchanges: [
      gathered(1, ({ elements, floatBytes }) => sentElements(Number(density), elements) * (4 + floatBytes)),
    ],
  }),
  create: (values, optimizer) => dgc({ ...values, optimizer }),
};
