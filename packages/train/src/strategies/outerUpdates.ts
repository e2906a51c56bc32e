// The updates of outer optimizers as operations on vectors: `anchor` (the round's start θ₀, which moves), `change` (the outer
// gradient Δ) and the optimizer's slots, each [P]. Formulas and sources are told where the optimizers are.

import { adaptiveStep, copyVector, nesterovStep } from "@atoll/tensor/vectors";

type Vectors = Readonly<Record<string, Float32Array>>;
type Numbers = Readonly<Record<string, number>>;

/** Δ is in the parameters, and so is what the next round starts with: θ ← θ₀, as an update has moved it. */
export const takingOver =
  (update: (vectors: Vectors, numbers: Numbers) => void) =>
  (vectors: Vectors, numbers: Numbers): void => {
    update(vectors, numbers);
    copyVector(vectors.change!, vectors.anchor!);
  };

export function nesterovUpdate(vectors: Vectors, { learningRate, momentum }: Numbers): void {
  const { anchor, change, momentum: velocity } = vectors;
  const scalars = { learningRate: learningRate!, momentum: momentum! };
  nesterovStep({ anchor: anchor!, change: change!, velocity: velocity! }, scalars);
}

const adaptiveUpdate =
  (moment: (b2: number) => { readonly keep: number; readonly added: number }) =>
  ({ anchor, change, mean, square }: Vectors, { learningRate, b1, b2, tau }: Numbers): void => {
    const vectors = { anchor: anchor!, change: change!, mean: mean!, square: square! };
    adaptiveStep(vectors, { learningRate: learningRate!, b1: b1!, tau: tau!, ...moment(b2!) });
  };

export const adamUpdate: (vectors: Vectors, numbers: Numbers) => void = adaptiveUpdate((b2) => ({
  keep: b2,
  added: 1 - b2,
}));

export const adagradUpdate: (vectors: Vectors, numbers: Numbers) => void = adaptiveUpdate(() => ({
  keep: 1,
  added: 1,
}));

export function yogiUpdate({ anchor, change, mean, square }: Vectors, numbers: Numbers): void {
  const { learningRate, b1, b2, tau } = numbers as Readonly<
    Record<"learningRate" | "b1" | "b2" | "tau", number>
  >;
  for (let i = 0; i < anchor!.length; i++) {
    const delta = change![i]!;
    const squared = delta * delta;
    const m = b1 * mean![i]! + (1 - b1) * delta;
    const before = square![i]!;
    const v = before - (1 - b2) * squared * Math.sign(before - squared);
    mean![i] = m;
    square![i] = v;
    anchor![i]! -= (learningRate * m) / (Math.sqrt(v) + tau);
  }
}
