// Stochastic gradient descent with weight decay and momentum, with PyTorch's conventions (`torch.optim.SGD`).

import { ConfigError } from "@atoll/core";
import { addDecayedWeights } from "./addDecayedWeights.ts";
import { chain } from "./chain.ts";
import { momentum as momentumTransformation } from "./momentum.ts";
import { scaleByLearningRate } from "./scaleByLearningRate.ts";
import { type Schedule, scheduleConfig, toSchedule } from "./schedule.ts";
import type { Optimizer } from "./transformation.ts";

export interface SgdOptions {
  readonly learningRate: number | Schedule;
  /** 0: none, and no state. */
  readonly momentum?: number;
  readonly nesterov?: boolean;
  /** L2: added to the gradient before momentum. */
  readonly weightDecay?: number;
}

/**
 * g ← g + weightDecay · p, v ← momentum · v + g, p ← p − learningRate · (g + momentum · v if nesterov, else v).
 *
 * @example sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true })
 */
export function sgd(options: SgdOptions): Optimizer {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  if (nesterov && momentum === 0)
    throw new ConfigError(
      "sgd: nesterov is a form of momentum; expected momentum above 0, got 0. Set it, or leave nesterov out.",
    );
  const learningRate = toSchedule(options.learningRate);
  return {
    ...chain(
      ...(weightDecay === 0 ? [] : [addDecayedWeights(weightDecay)]),
      ...(momentum === 0 ? [] : [momentumTransformation(momentum, { nesterov })]),
      scaleByLearningRate(learningRate),
    ),
    name: "sgd",
    config: { kind: "sgd", learningRate: scheduleConfig(learningRate), momentum, nesterov, weightDecay },
  };
}
