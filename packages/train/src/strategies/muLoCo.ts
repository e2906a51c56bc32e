// MuLoCo: DiLoCo with Muon as the inner optimizer, whose changes bear being sent in two bits, with error feedback.
// Source: Thérien et al., "MuLoCo: Muon is a practical inner optimizer for DiLoCo" (arXiv 2505.23725), algorithm 1.

import { ConfigError } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { muon, type Optimizer } from "@atoll/tensor";
import { allocateBeside, subtractVectors } from "@atoll/tensor/vectors";
import { z } from "zod";
import { twoBit } from "../compressors/twoBit.ts";
import { allReduceWithFeedback } from "./errorFeedback.ts";
import { decay, positive, steps } from "./optionSchemas.ts";
import { type NesterovOptions, nesterov, type OuterOptimizer } from "./outerOptimizer.ts";
import { applyOuter, outerState, stepsUntil } from "./outerStep.ts";
import { scratchPerNode } from "./preparation.ts";
import type { ParameterStrategy, StrategyEntry } from "./strategy.ts";
import { codedReduced, reduced } from "./traffic.ts";
import { GO_ON } from "./whenMissing.ts";

const options = z.strictObject({
  H: steps(30, "inner steps between two outer steps"),
  quantise: z.boolean().default(true).describe("send changes in two bits; otherwise as floats"),
});

const outerOptions = z
  .strictObject({
    learningRate: positive(0.7, "outer learning rate η"),
    momentum: decay(0.9, "outer Nesterov momentum μ"),
  })
  .prefault({});

export interface MuLoCoOptions {
  /** Inner steps between two outer steps. Default 30. */
  readonly H?: number;
  /** Whether changes are sent in two bits, with error feedback. Default true. */
  readonly quantise?: boolean;
  /** Muon, possibly within a chain. Default `muon()`. */
  readonly optimizer?: Optimizer;
  /** Default `nesterov()`. */
  readonly outer?: OuterOptimizer;
}

/** Elements that share the two magnitudes of the two-bit codec. */
const BLOCK_SIZE = 4096;

/**
 * Every H steps of Muon the outer optimizer moves θ₀ by Δ = mean of Q(θ₀ − θᵢ + eᵢ), eᵢ what the last round's encoding
 * left out. State: `anchor` (θ₀), the outer optimizer's slots, and `residual` (eᵢ), each node's own.
 *
 * Bytes a node sends every H steps, about: 2(N−1)/N · P/4. Not quantised it is DiLoCo with Muon.
 * @throws ConfigError if an option is out of its range, or if the optimizer is not Muon.
 */
export function muLoCo({
  optimizer = muon(),
  outer = nesterov(),
  ...given
}: MuLoCoOptions = {}): ParameterStrategy {
  const { H, quantise } = parseConfig(options, given, "strategy");
  if (!optimizer.parts.some(({ transformation }) => transformation.name === "scaleByMuon"))
    throw new ConfigError(
      `Strategy "muloco": expected Muon as the inner optimizer, got "${optimizer.name}". Choose optimizer=muon, or strategy=diloco.`,
    );
  const codec = twoBit({ blockSize: BLOCK_SIZE });
  const scratch = scratchPerNode(({ parameters }) => allocateBeside(parameters, parameters.length));
  return {
    kind: "parameter",
    name: "muloco",
    config: { kind: "muloco", H, quantise, outer: outer.config },
    optimizer,
    whenMissing: GO_ON,
    records: quantise ? ["outerCosine", "compressionError"] : ["outerCosine"],
    validate() {},
    init: ({ parameters }) => ({
      tensors: {
        ...outerState(outer, parameters),
        ...(quantise ? { residual: new Float32Array(parameters.length) } : {}),
      },
      values: {},
    }),
    localSteps: (step) => stepsUntil(step, H),
    async synchronise(node, { tensors }) {
      const { communicator, parameters, local, record } = node;
      subtractVectors(parameters, tensors.anchor!, parameters);
      record?.outerGradient?.(parameters);
      if (quantise) {
        const vectors = { x: parameters, residual: tensors.residual!, transcoded: scratch(node) };
        await allReduceWithFeedback(communicator, vectors, codec);
      } else await communicator.allReduce(parameters, { op: "mean" });
      applyOuter(local, { outer, parameters, tensors });
    },
  };
}

export const muLoCoEntry: StrategyEntry = {
  name: "muloco",
  summary: "DiLoCo with Muon inside and two-bit outer gradients (MuLoCo)",
  options: options.extend({ outer: outerOptions }),
  optimizer: { kind: "muon", learningRate: 3e-3 },
  traffic: ({ H, quantise }) => ({
    exchanges: [
      quantise === true
        ? codedReduced(twoBit({ blockSize: BLOCK_SIZE }), { every: Number(H) })
        : reduced({ every: Number(H) }),
    ],
  }),
  create: ({ outer, ...values }, optimizer) =>
    muLoCo({ ...values, optimizer, outer: nesterov(outer as NesterovOptions) }),
};
