// Causal self-attention with several heads. Vaswani et al., "Attention is all you need" (NeurIPS 2017), §3.2, in the
// form of GPT-2: one projection makes queries, keys and values, and a position sees itself and what came before it.

import { ConfigError } from "@atoll/core";
import type { Tensor } from "../borrow.ts";
import { fusedSoftmax } from "../fused/softmax.ts";
import { einsum, lowerTriangle, multiply, reshape, split, where } from "../ops.ts";
import { dropout } from "./dropout.ts";
import { type Linear, linear } from "./linear.ts";

export type Attention<T> = {
  /** [features, 3 · features] */
  readonly qkv: Linear<T>;
  /** [features, features] */
  readonly projection: Linear<T>;
};

export interface AttentionOptions {
  readonly heads: number;
  /** Dropout on the attention weights and on the output. */
  readonly dropoutRate: number;
  readonly training: boolean;
  /** Of the weights' dropout and of the output's, uint32[2] each. */
  readonly keys: readonly [Tensor, Tensor];
}

/**
 * [batch, time, features] -> [batch, time, features]
 * @throws ConfigError if the heads do not divide the features.
 */
export function causalSelfAttention(
  { qkv, projection }: Attention<Tensor>,
  x: Tensor,
  { heads, dropoutRate: rate, training, keys }: AttentionOptions,
): Tensor {
  const [batch = 1, time = 1, features = 1] = x.shape;
  if (features % heads !== 0)
    throw new ConfigError(
      `causalSelfAttention: expected heads that divide the ${features} features, got ${heads}.`,
    );
  const [q, k, v] = split(linear(qkv, x), [features, features, features], -1).map(
    (part) => reshape(part, [batch, time, heads, features / heads]), // [batch, time, features] -> [batch, time, heads, headDim]
  ) as [Tensor, Tensor, Tensor];
  const scores = multiply(einsum("bqhd,bkhd->bhqk", q, k), Math.sqrt(heads / features));
  const weights = fusedSoftmax(where(lowerTriangle(time), scores, Number.NEGATIVE_INFINITY));
  const dropped = dropout(weights, { rate, training, key: keys[0] });
  const mixed = reshape(einsum("bhqk,bkhd->bqhd", dropped, v), [batch, time, features]);
  return dropout(linear(projection, mixed), { rate, training, key: keys[1] });
}
