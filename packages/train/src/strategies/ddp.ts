// Distributed data parallel: every step's gradients are averaged over all nodes before the optimizer applies them.
// Source: Li et al., "PyTorch Distributed: experiences on accelerating data parallel training" (arXiv 2006.15704), §3.
// Unlike there, gradients are not sent in buckets while the backward pass still runs: the all-reduce follows it, so the
// simulated time is an upper bound. Buffers (batch statistics) stay each node's own; the evaluated global model averages them.

import { parseConfig } from "@atoll/core/config";
import { adamW, type Optimizer } from "@atoll/tensor";
import { z } from "zod";
import { type GradientStrategy, NO_STATE, type StrategyEntry } from "./strategy.ts";

const options = z.strictObject({});

export interface DdpOptions {
  /** Default AdamW. */
  readonly optimizer?: Optimizer;
}

/**
 * g ← (1/N) Σᵢ gᵢ, then the optimizer's step (clipping by the global norm, where the optimizer has it, comes after the mean).
 *
 * Bytes a node sends with a ring: 2(N−1)/N · 4P each step.
 * N nodes with batch B take the same steps as one node with batch N·B.
 */
export function ddp({ optimizer = adamW(), ...given }: DdpOptions = {}): GradientStrategy {
  parseConfig(options, given, "strategy");
  return {
    kind: "gradient",
    name: "ddp",
    config: { kind: "ddp" },
    optimizer,
    validate() {},
    init: () => NO_STATE,
    exchange: (node) => node.communicator.allReduce(node.gradients, { op: "mean" }),
  };
}

export const ddpEntry: StrategyEntry = {
  name: "ddp",
  summary: "average the gradients of every step (PyTorch DDP)",
  options,
  create: (_, optimizer) => ddp({ optimizer }),
};
