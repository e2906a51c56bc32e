// Dropout: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (JMLR 2014), inverted,
// so that evaluation needs no scaling. The random key is an argument: the same key drops the same elements.
// Random words are the cost here, since two of them take about 80 integer operations. So an element gets 16 bits, four
// elements share a pair of words, and the rate is rounded to a multiple of 2⁻¹⁶.

import { ConfigError } from "@atoll/core";
import type { Tensor } from "../borrow.ts";
import { elementCount } from "../host.ts";
import {
  cast,
  concatenate,
  greaterEqual,
  lowerHalf,
  multiply,
  randomPairs,
  reshape,
  slice,
  upperHalf,
} from "../ops.ts";

export interface DropoutOptions {
  /** Probability of an element to become zero, in [0, 1). */
  readonly rate: number;
  readonly training: boolean;
  /** uint32[2]; every use in a step needs its own (see `splitKey`). */
  readonly key: Tensor;
}

/** Zeroes elements with probability `rate` and scales the others by 1 / (1 − rate); the identity when not training. */
export const dropout = (x: Tensor, options: DropoutOptions): Tensor => dropBlocks(x, x.shape, options);

/** As `dropout`, but whole channels are dropped or kept, as PyTorch's `Dropout2d`. [batch, channels, height, width] */
export const dropout2d = (x: Tensor, options: DropoutOptions): Tensor =>
  dropBlocks(x, [...x.shape.slice(0, 2), 1, 1], options);

/** One decision for each element of `shape`, which broadcasts over x. */
function dropBlocks(x: Tensor, shape: readonly number[], { rate, training, key }: DropoutOptions): Tensor {
  if (!(rate >= 0 && rate < 1))
    throw new ConfigError(`dropout: expected a rate of at least 0 and below 1, got ${rate}.`);
  if (!training || rate === 0) return x;
  const kept = greaterEqual(halfWords(key, elementCount(shape)), Math.round(rate * 2 ** 16));
  return multiply(x, reshape(multiply(cast(kept, "float32"), 1 / (1 - rate)), shape));
}

/** Independent numbers, uniform on 0 … 65535. float32 [length] */
function halfWords(key: Tensor, length: number): Tensor {
  const words = reshape(randomPairs(key, Math.ceil(length / 4)), [-1]);
  const halves = concatenate([upperHalf(words), lowerHalf(words)]);
  return halves.size === length ? halves : slice(halves, 0, length);
}
