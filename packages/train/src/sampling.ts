// Chooses a token by a model's scores: temperature and top-k, as nanoGPT's generate does. It draws one number a token.

import { type Random, RunError } from "@atoll/core";

export interface SamplingOptions {
  /** Scores are divided by it: below 1 likely tokens become likelier; at 0 the likeliest is taken. */
  readonly temperature: number;
  /** Only so many of the likeliest tokens are drawn from; all by default. Of equal ones the first count. */
  readonly topK?: number;
}

/**
 * The probability of each token, in double precision: softmax(scores / temperature) over the top k, 0 elsewhere.
 * Float64Array [vocabSize]
 * @throws RunError if a score is NaN or +∞, as those of a diverged model are
 */
export function probabilitiesOf(
  scores: Float32Array,
  { temperature, topK = scores.length }: SamplingOptions,
): Float64Array {
  const best = likeliest(scores);
  const probabilities = new Float64Array(scores.length);
  if (temperature === 0) {
    probabilities[best] = 1;
    return probabilities;
  }
  let sum = 0;
  for (const token of topTokens(scores, topK)) {
    const weight = Math.exp((scores[token]! - scores[best]!) / temperature);
    probabilities[token] = weight;
    sum += weight;
  }
  for (let token = 0; token < probabilities.length; token++) probabilities[token]! /= sum;
  return probabilities;
}

/** Draws a token. scores [vocabSize] -> token */
export function sampleToken(scores: Float32Array, options: SamplingOptions, random: Random): number {
  const probabilities = probabilitiesOf(scores, options);
  let left = random.uniform();
  let last = 0;
  for (let token = 0; token < probabilities.length; token++) {
    const probability = probabilities[token]!;
    if (probability === 0) continue;
    if (left < probability) return token;
    left -= probability;
    last = token; // Rounding may leave a little over.
  }
  return last;
}

/** The first of the largest. */
function likeliest(scores: Float32Array): number {
  let best = 0;
  for (let token = 0; token < scores.length; token++) {
    const score = scores[token]!;
    if (Number.isNaN(score) || score === Number.POSITIVE_INFINITY)
      throw new RunError(
        `The model's score for token ${token} is ${score}: it has diverged. Sample an earlier checkpoint, or train again with a smaller learning rate.`,
      );
    if (score > scores[best]!) best = token;
  }
  return best;
}

function topTokens(scores: Float32Array, count: number): Iterable<number> {
  if (count >= scores.length) return scores.keys();
  const order = Uint32Array.from(scores.keys());
  return order.sort((a, b) => scores[b]! - scores[a]! || a - b).subarray(0, count);
}
