// Adam and AdamW, with PyTorch's defaults (`torch.optim.Adam`, `torch.optim.AdamW`). Kingma and Ba (ICLR 2015);
// Loshchilov and Hutter, "Decoupled weight decay regularization" (ICLR 2019), algorithm 2 without its schedule factor.

import { addDecayedWeights } from "./addDecayedWeights.ts";
import { chain } from "./chain.ts";
import { ADAM_DEFAULTS, type AdamOptions, scaleByAdam } from "./scaleByAdam.ts";
import { scaleByLearningRate } from "./scaleByLearningRate.ts";
import { type Schedule, scheduleConfig, toSchedule } from "./schedule.ts";
import type { Decay, Optimizer } from "./transformation.ts";

export interface AdamOptimizerOptions extends AdamOptions {
  /** 1e-3 by default. */
  readonly learningRate?: number | Schedule;
  readonly weightDecay?: number;
}

export interface AdamWOptions extends AdamOptimizerOptions {
  /** What decays: everything, as PyTorch does unless told otherwise, or matrices only, as nanoGPT does. */
  readonly decay?: Decay;
}

const DEFAULT_LEARNING_RATE = 1e-3;

/** p ← p − learningRate · μ̂ / (√ν̂ + eps) (see `scaleByAdam`); weight decay, 0 by default, is L2: added to the gradient. */
export function adam(options: AdamOptimizerOptions = {}): Optimizer {
  const { learningRate = DEFAULT_LEARNING_RATE, weightDecay = 0, ...rest } = options;
  const moments = { ...ADAM_DEFAULTS, ...rest };
  const schedule = toSchedule(learningRate);
  return {
    ...chain(
      ...(weightDecay === 0 ? [] : [addDecayedWeights(weightDecay)]),
      scaleByAdam(moments),
      scaleByLearningRate(schedule),
    ),
    name: "adam",
    config: { kind: "adam", learningRate: scheduleConfig(schedule), ...moments, weightDecay },
  };
}

/**
 * p ← p − learningRate · (μ̂ / (√ν̂ + eps) + weightDecay · p): the decay, 0.01 by default, is not scaled by Adam.
 *
 * @example adamW({ learningRate: warmupCosine({ peak: 6e-4, warmupSteps: 100, totalSteps: 2000 }), decay: "matrices" })
 */
export function adamW(options: AdamWOptions = {}): Optimizer {
  const { learningRate = DEFAULT_LEARNING_RATE, weightDecay = 0.01, decay = "all", ...rest } = options;
  const moments = { ...ADAM_DEFAULTS, ...rest };
  const schedule = toSchedule(learningRate);
  return {
    ...chain(
      scaleByAdam(moments),
      ...(weightDecay === 0 ? [] : [addDecayedWeights(weightDecay, decay)]),
      scaleByLearningRate(schedule),
    ),
    name: "adamW",
    config: { kind: "adamw", learningRate: scheduleConfig(schedule), ...moments, weightDecay, decay },
  };
}
