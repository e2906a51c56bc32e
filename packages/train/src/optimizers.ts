// The optimizers that a config can name, with their schedules and clipping: options as schemas, and what they make.
// The mathematics is in @atoll/tensor.

import { ConfigError } from "@atoll/core";
import {
  adam,
  adamW,
  chain,
  clipByGlobalNorm,
  linearWarmup,
  muon,
  type Optimizer,
  type Schedule,
  sgd,
  warmupCosine,
} from "@atoll/tensor";
import { z } from "zod";
import type { StrategyEntry } from "./strategies/strategy.ts";

const common = {
  schedule: z
    .enum(["constant", "cosine"])
    .default("constant")
    .describe("learning rate over the steps; cosine falls to finalLearningRate at the last one"),
  warmupSteps: z.int().min(0).default(0).describe("steps in which the learning rate rises linearly from 0"),
  finalLearningRate: z.number().min(0).default(0).describe("where a cosine schedule ends"),
  clipNorm: z
    .number()
    .positive()
    .optional()
    .describe("clip gradients to this global norm; no clipping if left out"),
};

const adaptive = {
  learningRate: z.number().positive().default(1e-3).describe("learning rate, or its peak under a schedule"),
  b1: z.number().min(0).lt(1).default(0.9).describe("decay of the first moment"),
  b2: z.number().min(0).lt(1).default(0.999).describe("decay of the second moment"),
  eps: z.number().positive().default(1e-8).describe("added to the root of the second moment"),
};

const adamWOptions = z.strictObject({
  ...adaptive,
  weightDecay: z.number().min(0).default(0.01).describe("decoupled weight decay"),
  decay: z
    .enum(["all", "matrices"])
    .default("all")
    .describe("which parameters decay: all (PyTorch), or matrices only (nanoGPT)"),
  ...common,
});
const adamOptions = z.strictObject({ ...adaptive, ...common });
const muonOptions = z.strictObject({
  learningRate: z.number().positive().default(1e-3).describe("learning rate, or its peak under a schedule"),
  momentum: z.number().min(0).lt(1).default(0.95).describe("Nesterov momentum"),
  weightDecay: z.number().min(0).default(0.01).describe("decoupled weight decay"),
  ...common,
});
const sgdOptions = z.strictObject({
  learningRate: z.number().positive().default(0.1).describe("learning rate, or its peak under a schedule"),
  momentum: z.number().min(0).lt(1).default(0).describe("momentum"),
  nesterov: z.boolean().default(false).describe("Nesterov's form of momentum"),
  weightDecay: z.number().min(0).default(0).describe("L2 penalty, added to the gradient"),
  ...common,
});

interface OptimizerEntry {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodObject;
}

export const optimizerEntries: readonly OptimizerEntry[] = [
  { name: "adamw", summary: "AdamW (arXiv 1711.05101), PyTorch's defaults", options: adamWOptions },
  { name: "adam", summary: "Adam (arXiv 1412.6980)", options: adamOptions },
  { name: "muon", summary: "orthogonalised momentum for matrices, Adam for the rest", options: muonOptions },
  { name: "sgd", summary: "stochastic gradient descent, with momentum if asked", options: sgdOptions },
];

interface CommonConfig {
  readonly learningRate: number;
  readonly schedule: "constant" | "cosine";
  readonly warmupSteps: number;
  readonly finalLearningRate: number;
  readonly clipNorm?: number | undefined;
}

interface AdaptiveConfig extends CommonConfig {
  readonly b1: number;
  readonly b2: number;
  readonly eps: number;
}

/** What the schemas give: every option with its default. */
export type OptimizerConfig =
  | (AdaptiveConfig & {
      readonly kind: "adamw";
      readonly weightDecay: number;
      readonly decay: "all" | "matrices";
    })
  | (AdaptiveConfig & { readonly kind: "adam" })
  | (CommonConfig & {
      readonly kind: "muon";
      readonly momentum: number;
      readonly weightDecay: number;
    })
  | (CommonConfig & {
      readonly kind: "sgd";
      readonly momentum: number;
      readonly nesterov: boolean;
      readonly weightDecay: number;
    });

/**
 * @param totalSteps where a cosine schedule ends; the run's last step
 * @throws ConfigError for a cosine schedule without an end
 */
export function createOptimizer(config: OptimizerConfig, totalSteps: number | undefined): Optimizer {
  const learningRate = scheduleOf(config, totalSteps);
  const optimizer = bare(config, learningRate);
  return config.clipNorm === undefined ? optimizer : chain(clipByGlobalNorm(config.clipNorm), optimizer);
}

/** What a config that names no optimizer gets with a strategy. */
export function defaultOptimizer({
  optimizer = { kind: "adamw" },
}: Pick<StrategyEntry, "optimizer">): Optimizer {
  const { kind, ...given } = optimizer;
  const { options } = optimizerEntries.find(({ name }) => name === kind)!;
  return createOptimizer({ kind, ...options.parse(given) } as OptimizerConfig, undefined);
}

function bare(config: OptimizerConfig, learningRate: number | Schedule): Optimizer {
  switch (config.kind) {
    case "adamw": {
      const { b1, b2, eps, weightDecay, decay } = config;
      return adamW({ learningRate, b1, b2, eps, weightDecay, decay });
    }
    case "adam": {
      const { b1, b2, eps } = config;
      return adam({ learningRate, b1, b2, eps });
    }
    case "muon": {
      const { momentum, weightDecay } = config;
      return muon({ learningRate, momentum, weightDecay });
    }
    case "sgd": {
      const { momentum, nesterov, weightDecay } = config;
      return sgd({ learningRate, momentum, nesterov, weightDecay });
    }
    default:
      return config satisfies never;
  }
}

function scheduleOf(config: OptimizerConfig, totalSteps: number | undefined): number | Schedule {
  const { schedule, learningRate: peak, warmupSteps, finalLearningRate: end } = config;
  if (schedule === "constant" && end !== 0)
    throw new ConfigError(
      `Option "optimizer.finalLearningRate": a constant schedule does not end anywhere, got ${end}. Add optimizer.schedule=cosine, or leave it out.`,
    );
  if (schedule === "constant" && warmupSteps === 0) return peak;
  if (schedule === "constant") return linearWarmup({ peak, warmupSteps });
  if (totalSteps === undefined)
    throw new ConfigError(
      'Option "optimizer.schedule": cosine needs to know the last step; give maxSteps instead of numEpochs.',
    );
  if (warmupSteps >= totalSteps)
    throw new ConfigError(
      `Option "optimizer.warmupSteps": expected fewer than maxSteps (${totalSteps}) under a cosine schedule, got ${warmupSteps}. Lower it, or train longer.`,
    );
  return warmupCosine({ peak, warmupSteps, totalSteps, end });
}
