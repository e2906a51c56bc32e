// A decoder-only transformer in the form of nanoGPT (GPT-2 with pre-normalisation and a head tied to the token
// embedding). Radford et al., "Language models are unsupervised multitask learners" (2019). Sizes are EXO Gym's.

import { ConfigError, type Random, unknownName } from "@atoll/core";
import {
  type Attention,
  add,
  causalSelfAttention,
  dropout,
  type Embedding,
  embedding,
  filledTensor,
  gelu,
  type HostTensor,
  initEmbedding,
  initLayerNorm,
  type LayerNorm,
  type Linear,
  layerNorm,
  linear,
  matmul,
  normalTensor,
  slice,
  softmaxCrossEntropy,
  splitKey,
  type Tensor,
  transpose,
} from "@atoll/tensor";
import type { ApplyContext, Model } from "./model.ts";

export type GptSize = "small" | "sbase" | "base" | "medium" | "large" | "xl";

interface Dimensions {
  readonly layers: number;
  readonly heads: number;
  readonly features: number;
}

export const gptSizes: Readonly<Record<GptSize, Dimensions>> = {
  small: { layers: 4, heads: 4, features: 128 },
  sbase: { layers: 8, heads: 8, features: 512 },
  base: { layers: 12, heads: 12, features: 768 },
  medium: { layers: 24, heads: 16, features: 1024 },
  large: { layers: 36, heads: 20, features: 1280 },
  xl: { layers: 48, heads: 25, features: 1600 },
};

export interface GptOptions {
  /** A named size, or its dimensions; "small" by default. */
  readonly size?: GptSize | Dimensions;
  /** Number of different tokens; comes from the data. */
  readonly vocabSize: number;
  /** Longest sequence, and the length of a training example. */
  readonly blockSize: number;
  /** Dropout on embeddings, attention weights and residual branches; 0 by default. */
  readonly dropout?: number;
  /** Biases in linear layers and normalisations, as in GPT-2 (the default); without them it is a bit faster. */
  readonly bias?: boolean;
}

type Block<T> = {
  readonly attentionNorm: LayerNorm<T>;
  readonly attention: Attention<T>;
  readonly mlpNorm: LayerNorm<T>;
  readonly mlp: { readonly expansion: Linear<T>; readonly projection: Linear<T> };
};

type Parameters<T> = {
  /** [vocabSize, features]; transposed it is the head. */
  readonly tokens: Embedding<T>;
  /** [blockSize, features] */
  readonly positions: Embedding<T>;
  readonly blocks: readonly Block<T>[];
  readonly norm: LayerNorm<T>;
};

const STANDARD_DEVIATION = 0.02;

/**
 * Takes int32 [batch, time] and predicts the next token at every position: logits [batch, time, vocabSize].
 * @throws ConfigError for sizes that are no whole numbers above 0, heads that do not divide the features, or a dropout
 * that is no probability below 1.
 */
export function gpt(options: GptOptions): Model {
  const { vocabSize, blockSize, dropout: rate = 0, bias = true } = options;
  const dimensions = dimensionsOf(options.size ?? "small");
  for (const [name, value] of Object.entries({ vocabSize, blockSize, ...dimensions }))
    if (!Number.isInteger(value) || value < 1)
      throw new ConfigError(`gpt: expected ${name} to be a whole number of at least 1, got ${value}.`);
  if (!(rate >= 0 && rate < 1))
    throw new ConfigError(`gpt: expected dropout to be at least 0 and below 1, got ${rate}.`);
  const tokens = { shape: [blockSize], dtype: "int32" } as const;
  return {
    name: "gpt",
    config: { kind: "gpt", ...dimensions, vocabSize, blockSize, dropout: rate, bias },
    example: { x: tokens, y: tokens },
    init: (random) => ({
      parameters: initGpt(random, { ...dimensions, vocabSize, blockSize, bias }),
      buffers: {},
    }),
    apply(parameters, x, context) {
      const settings = { heads: dimensions.heads, rate, training: context.training };
      return { logits: applyGpt(parameters as Parameters<Tensor>, x, context, settings), buffers: {} };
    },
    loss: softmaxCrossEntropy,
  };
}

function dimensionsOf(size: GptSize | Dimensions): Dimensions {
  if (typeof size === "object") {
    if (size.features % size.heads !== 0)
      throw new ConfigError(
        `gpt: expected heads that divide the ${size.features} features, got ${size.heads}.`,
      );
    return size;
  }
  if (!Object.hasOwn(gptSizes, size)) throw unknownName("GPT size", size, Object.keys(gptSizes));
  return gptSizes[size];
}

interface InitOptions extends Dimensions {
  readonly vocabSize: number;
  readonly blockSize: number;
  readonly bias: boolean;
}

/** nanoGPT's: normal with deviation 0.02, biases 0; projections onto the residual stream scaled by 1 / √(2 layers). */
function initGpt(random: Random, options: InitOptions): Parameters<HostTensor> {
  const { layers, features, vocabSize, blockSize, bias } = options;
  const standardDeviation = STANDARD_DEVIATION;
  const residual = STANDARD_DEVIATION / Math.sqrt(2 * layers);
  const dense = (
    stream: Random,
    shape: readonly [number, number],
    deviation: number,
  ): Linear<HostTensor> => ({
    weight: normalTensor(stream, shape, deviation),
    ...(bias ? { bias: filledTensor([shape[1]], 0) } : {}),
  });
  const norm = (): LayerNorm<HostTensor> => {
    const { weight, bias: shift } = initLayerNorm(features);
    return bias ? { weight, bias: shift } : { weight };
  };
  const block = (layer: number): Block<HostTensor> => {
    const stream = (name: string): Random => random.derive("block", layer, name);
    return {
      attentionNorm: norm(),
      attention: {
        qkv: dense(stream("qkv"), [features, 3 * features], standardDeviation),
        projection: dense(stream("attention projection"), [features, features], residual),
      },
      mlpNorm: norm(),
      mlp: {
        expansion: dense(stream("expansion"), [features, 4 * features], standardDeviation),
        projection: dense(stream("mlp projection"), [4 * features, features], residual),
      },
    };
  };
  return {
    tokens: initEmbedding(random.derive("tokens"), { entries: vocabSize, features, standardDeviation }),
    positions: initEmbedding(random.derive("positions"), { entries: blockSize, features, standardDeviation }),
    blocks: Array.from({ length: layers }, (_, layer) => block(layer)),
    norm: norm(),
  };
}

interface Settings {
  readonly heads: number;
  readonly rate: number;
  readonly training: boolean;
}

function applyGpt(
  { tokens, positions, blocks, norm }: Parameters<Tensor>,
  x: Tensor,
  { key }: ApplyContext,
  settings: Settings,
): Tensor {
  const time = x.shape[1]!;
  const blockSize = positions.weight.shape[0]!;
  if (time > blockSize)
    throw new ConfigError(`gpt: expected at most ${blockSize} tokens a sequence (blockSize), got ${time}.`);
  const place = time === blockSize ? positions.weight : slice(positions.weight, 0, time);
  let stream = add(embedding(tokens, x), place); // [batch, time] -> [batch, time, features]
  const keys = splitKey(key, 1 + 3 * blocks.length);
  stream = dropout(stream, { ...settings, key: keys.pop()! });
  for (const block of blocks) {
    const own = keys.splice(-3) as [Tensor, Tensor, Tensor];
    stream = applyBlock(block, stream, own, settings);
  }
  return matmul(layerNorm(norm, stream), transpose(tokens.weight)); // -> [batch, time, vocabSize]
}

function applyBlock(
  { attentionNorm, attention, mlpNorm, mlp }: Block<Tensor>,
  x: Tensor,
  [weightsKey, attentionKey, mlpKey]: readonly [Tensor, Tensor, Tensor],
  { heads, rate, training }: Settings,
): Tensor {
  const attended = causalSelfAttention(attention, layerNorm(attentionNorm, x), {
    heads,
    dropoutRate: rate,
    training,
    keys: [weightsKey, attentionKey],
  });
  const middle = add(x, attended);
  const hidden = gelu(linear(mlp.expansion, layerNorm(mlpNorm, middle))); // -> [batch, time, 4 · features]
  const projected = linear(mlp.projection, hidden);
  return add(middle, dropout(projected, { rate, training, key: mlpKey }));
}
