// Layer normalisation over the last axis: a learnt scale and shift around the fused kernel.

import type { Tensor } from "../borrow.ts";
import { fusedLayerNorm } from "../fused/layerNorm.ts";
import type { HostTensor } from "../host.ts";
import { constant } from "../ops.ts";
import { filledTensor } from "./initializers.ts";

export type LayerNorm<T> = {
  /** [features] */
  readonly weight: T;
  /** [features]; absent in a layer without bias. */
  readonly bias?: T;
};

export const initLayerNorm = (features: number): Required<LayerNorm<HostTensor>> => ({
  weight: filledTensor([features], 1),
  bias: filledTensor([features], 0),
});

/** [..., features] -> [..., features] */
export const layerNorm = ({ weight, bias }: LayerNorm<Tensor>, x: Tensor): Tensor =>
  fusedLayerNorm(x, weight, bias ?? constant(filledTensor(weight.shape, 0)));
