// Layer normalisation over the last axis. Ba, Kiros and Hinton, "Layer normalization" (2016), eq. 3 and 4, with the biased
// variance and epsilon of PyTorch's `LayerNorm`.

import type { Tensor } from "../borrow.ts";
import type { HostTensor } from "../host.ts";
import { add, divide, mean, multiply, sqrt, square, subtract } from "../ops.ts";
import { filledTensor } from "./initializers.ts";

export type LayerNorm<T> = {
  /** [features] */
  readonly weight: T;
  /** [features]; absent in a layer without bias. */
  readonly bias?: T;
};

const EPSILON = 1e-5;

export const initLayerNorm = (features: number): Required<LayerNorm<HostTensor>> => ({
  weight: filledTensor([features], 1),
  bias: filledTensor([features], 0),
});

/** [..., features] -> [..., features] */
export function layerNorm({ weight, bias }: LayerNorm<Tensor>, x: Tensor): Tensor {
  const centred = subtract(x, mean(x, { axis: -1, keepdims: true }));
  const variance = mean(square(centred), { axis: -1, keepdims: true });
  const scaled = multiply(divide(centred, sqrt(add(variance, EPSILON))), weight);
  return bias === undefined ? scaled : add(scaled, bias);
}
