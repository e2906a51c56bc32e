// What strategies leave to the optimizer that do a part of its work: of those that compute the whole update nothing but the
// step along it, of those that keep momentum anything without another one.

import { ConfigError } from "@atoll/core";
import type { Optimizer } from "@atoll/tensor";

const ALLOWED: readonly string[] = ["scaleByLearningRate", "addDecayedWeights"];

/** @throws ConfigError if the optimizer does more than weight decay and the learning rate */
export function requirePlainSgd(optimizer: Optimizer, strategy: string): void {
  const other = optimizer.parts.find(({ transformation }) => !ALLOWED.includes(transformation.name));
  if (other === undefined) return;
  throw new ConfigError(
    `Strategy "${strategy}" computes the update itself and needs plain SGD (learning rate and weight decay) to apply it, ` +
      `got optimizer "${optimizer.name}" with ${other.label}. Choose optimizer=sgd without momentum or clipping.`,
  );
}

/** What makes an update of this gradient alone; all others remember those before, and so have momentum. */
const WITHOUT_MOMENTUM: readonly string[] = [...ALLOWED, "clipByGlobalNorm"];

/**
 * For strategies with momentum of their own, which an optimizer's would come on top of.
 * @param momentum the strategy's; with 0 any optimizer will do
 * @throws ConfigError if the optimizer does more than clipping, weight decay and the learning rate
 */
export function requireNoMomentum(
  optimizer: Optimizer,
  { strategy, momentum }: { readonly strategy: string; readonly momentum: number },
): void {
  if (momentum === 0) return;
  const other = optimizer.parts.find(({ transformation }) => !WITHOUT_MOMENTUM.includes(transformation.name));
  if (other === undefined) return;
  throw new ConfigError(
    `Strategy "${strategy}" keeps the momentum itself (strategy.momentum is ${momentum}), which would be applied twice: ` +
      `expected an optimizer without any, got "${optimizer.name}" with ${other.label}. Choose optimizer=sgd without momentum, or strategy.momentum=0.`,
  );
}
