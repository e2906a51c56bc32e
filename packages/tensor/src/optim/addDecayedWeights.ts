// Weight decay: adds a part of the parameters to the updates. Before Adam it is L2 regularisation; after it, decoupled
// weight decay. Loshchilov and Hutter, "Decoupled weight decay regularization" (ICLR 2019).

import { add, multiply, pad, slice } from "../ops.ts";
import { requireRange } from "./check.ts";
import type { Decay, GradientTransformation } from "./transformation.ts";

/** `u + weightDecay · p`, on all parameters or on matrices only (tensors with two axes or more). */
export function addDecayedWeights(weightDecay: number, decay: Decay = "all"): GradientTransformation {
  requireRange("weightDecay", weightDecay, { least: 0 });
  return {
    name: "addDecayedWeights",
    slots: [],
    config: { kind: "addDecayedWeights", weightDecay, decay },
    rule: { kind: "addDecayedWeights", weightDecay, decay },
    scalars: () => ({}),
    update(updates, _state, parameters, _scalars, { size, matrixSize }) {
      if (decay === "all" || matrixSize === size)
        return { updates: add(updates, multiply(parameters, weightDecay)), state: {} };
      if (matrixSize === 0) return { updates, state: {} };
      const matrices = multiply(slice(parameters, 0, matrixSize), weightDecay);
      return { updates: add(updates, pad(matrices, [[0, size - matrixSize]])), state: {} };
    },
  };
}
