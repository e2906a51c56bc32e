// FedProx: federated averaging whose local steps are held back towards the last average, for nodes whose data differ.
// Source: Li et al., "Federated optimization in heterogeneous networks" (arXiv 1812.06127), algorithm 2.

import { parseConfig } from "@atoll/core/config";
import { adamW, chain, proximal } from "@atoll/tensor";
import { copyVector } from "@atoll/tensor/vectors";
import { z } from "zod";
import { averagingOptions, averagingTraffic, type FedAvgOptions, fedAvg } from "./fedAvg.ts";
import { steps } from "./optionSchemas.ts";
import type { ParameterStrategy, StrategyEntry, StrategyNode } from "./strategy.ts";

const options = z.strictObject({
  ...averagingOptions,
  H: steps(10, "local steps between two averages; with one the proximal term has no effect"),
  mu: z.number().min(0).default(0.01).describe("weight of the proximal term"),
});

export interface FedProxOptions extends FedAvgOptions {
  /** Local steps between two averages. Default 10: a single one begins at θ₀, where the proximal term's gradient is zero. */
  readonly H?: number;
  /** Weight μ of the proximal term. Default 0.01. */
  readonly mu?: number;
}

/** The slot of `proximal` at the head of the chain. */
const ANCHOR = "proximal/anchor";

/** The parameters as they are then are what the next local steps are held to: the worker that does these copies them. */
const moveAnchor = ({ slots, parameters, local }: StrategyNode): void =>
  void local.later({ operation: "copy", vectors: { to: slots[ANCHOR]!, from: parameters }, numbers: {} });

/**
 * The local loss gains μ/2 ‖θ − θ₀‖², θ₀ the last average: its gradient μ(θ − θ₀) is added to the batch's before the
 * optimizer (and its clipping) sees it. Averages are FedAvg's, and so are the bytes. With μ = 0 or H = 1 it is FedAvg.
 *
 * Bytes a node sends with a ring: 2(M−1)/M · 4P every H steps, M the size of its group.
 * @throws ConfigError if an option is out of its range, or if an island is larger than the world.
 */
export function fedProx({ optimizer = adamW(), ...given }: FedProxOptions = {}): ParameterStrategy {
  const { mu, ...averaging } = parseConfig(options, given, "strategy");
  const average = fedAvg({ ...averaging, optimizer: chain(proximal(mu), optimizer) } as FedAvgOptions);
  return {
    ...average,
    name: "fedprox",
    config: { ...average.config, kind: "fedprox", mu },
    init(node) {
      copyVector(node.slots[ANCHOR]!, node.parameters);
      return average.init(node);
    },
    async synchronise(node, state) {
      await average.synchronise(node, state);
      moveAnchor(node);
    },
  };
}

export const fedProxEntry: StrategyEntry = {
  name: "fedprox",
  summary: "FedAvg with a proximal term in the local loss (FedProx)",
  options,
  traffic: averagingTraffic,
  create: (values, optimizer) => fedProx({ ...values, optimizer }),
};
