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
 * Shares of equal size (to within one). The ranks take turns: each draws a class from its own mix, among the classes
 * that still have examples, and gets a random one of them. The paper leaves open what happens as classes run out;
 * taking turns lets all nodes bear it, not only those that come last.
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
  const mixes = Array.from({ length: worldSize }, (_, rank) =>
    dirichletWeights(
      piles.map((pile) => (alpha * pile.length) / indices.length),
      random.derive("mix", rank),
    ),
  );
  const shares: number[][] = Array.from({ length: worldSize }, () => []);
  for (let turn = 0; turn < indices.length; turn++) {
    const rank = turn % worldSize;
    shares[rank]!.push(piles[drawClass(mixes[rank]!, piles, random)]!.pop()!);
  }
  return shares.map((share) => Uint32Array.from(share));
}

/** One draw from Dirichlet(concentrations), scaled so that the largest weight is 1; a concentration of 0 gives 0. */
function dirichletWeights(concentrations: readonly number[], random: Random): readonly number[] {
  const logs = concentrations.map((a) => (a > 0 ? logGamma(a, random) : Number.NEGATIVE_INFINITY));
  const highest = Math.max(...logs);
  return logs.map((log) => Math.exp(log - highest));
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

/** A class drawn by weight among those that have examples left; by what is left where all their weights are 0. */
function drawClass(
  weights: readonly number[],
  piles: readonly (readonly number[])[],
  random: Random,
): number {
  const open = piles.map((pile, label) => (pile.length > 0 ? weights[label]! : 0));
  const chances = open.some((weight) => weight > 0) ? open : piles.map((pile) => pile.length);
  let left = random.uniform() * chances.reduce((sum, weight) => sum + weight, 0);
  let drawn = -1;
  for (const [label, chance] of chances.entries()) {
    if (chance === 0) continue;
    drawn = label;
    left -= chance;
    if (left < 0) break;
  }
  return drawn;
}
