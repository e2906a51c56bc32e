// Strategies that compute the whole update themselves leave to the optimizer nothing but the step along it.

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
