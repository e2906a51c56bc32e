// Label skew: each node has its own mix of classes, drawn from a Dirichlet distribution around the overall one.
// Source: Hsu, Qi, Brown, "Measuring the effects of non-identical data distribution for federated visual
// classification" (arXiv 1909.06335, §3).

import type { Random } from "@atoll/core";

export interface LabelledIndices {
  readonly indices: Uint32Array;
  /** The class of each example of the data set, from 0 to classes − 1. */
  readonly labels: Int32Array;
  readonly classes: number;
}

/**
 * Shares of equal size (to within one). Rank after rank draws as many classes from its own mix as its share is long and
 * gets a random example of each; a class that has run out is no longer drawn, the others keep their proportions. So
 * the ranks that come last take what is left: which ones those are is drawn from the seed.
 */
export function dirichletShares(
  { indices, labels, classes }: LabelledIndices,
  alpha: number,
  worldSize: number,
  random: Random,
): readonly Uint32Array[] {
  const piles: number[][] = Array.from({ length: classes }, () => []);
  for (const i of random.derive("order").permutation(indices.length))
    piles[labels[indices[i]!]!]!.push(indices[i]!);
  const prior = piles.map((pile) => pile.length / indices.length);
  // A Dirichlet draw is a vector of Gamma draws over their sum. Kept as logarithms without the sum, it says how the
  // classes compare however small alpha is, and whichever of them have run out.
  const mixes = Array.from({ length: worldSize }, (_, rank) => {
    const own = random.derive("mix", rank);
    return prior.map((p) => (p > 0 ? logGamma(alpha * p, own) : Number.NEGATIVE_INFINITY));
  });
  const shares: Uint32Array[] = [];
  for (const rank of random.derive("ranks").permutation(worldSize)) {
    const end = Math.floor(((rank + 1) * indices.length) / worldSize);
    const size = end - Math.floor((rank * indices.length) / worldSize);
    shares[rank] = Uint32Array.from(
      { length: size },
      () => piles[drawClass(mixes[rank]!, piles, random)]!.pop()!,
    );
  }
  return shares;
}

/**
 * The logarithm of one Gamma(shape, 1) draw: Marsaglia and Tsang, "A simple method for generating gamma variables"
 * (ACM TOMS 26(3), 2000). Shapes below 1 use Gamma(a) = Gamma(a + 1) · U^(1/a); in logarithms this cannot underflow.
 */
function logGamma(shape: number, random: Random): number {
  if (shape < 1) return logGamma(shape + 1, random) + Math.log(1 - random.uniform()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const z = random.normal();
    const v = (1 + c * z) ** 3;
    if (v <= 0) continue;
    const u = 1 - random.uniform();
    if (Math.log(u) < 0.5 * z * z + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

/** A class drawn by its weight (given as a logarithm) among those that have examples left. */
function drawClass(
  logWeights: readonly number[],
  piles: readonly (readonly number[])[],
  random: Random,
): number {
  const open = logWeights.map((log, label) => (piles[label]!.length > 0 ? log : Number.NEGATIVE_INFINITY));
  const highest = Math.max(...open);
  const weights = open.map((log) => Math.exp(log - highest));
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  let drawn = -1;
  for (const [label, weight] of weights.entries()) {
    if (weight === 0) continue;
    drawn = label;
    left -= weight;
    if (left < 0) break;
  }
  return drawn;
}
