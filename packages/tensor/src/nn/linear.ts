// The affine layer x W + b. Weights are [in, out], the transpose of PyTorch's, so that a batch of rows is multiplied
// without a transpose.

import type { Random } from "@atoll/core";
import type { Tensor } from "../borrow.ts";
import type { HostTensor } from "../host.ts";
import { add, matmul } from "../ops.ts";
import { uniformTensor } from "./initializers.ts";

export type Linear<T> = {
  /** [in, out] */
  readonly weight: T;
  /** [out]; absent in a layer without bias. */
  readonly bias?: T;
};

/** PyTorch's default: weights and bias uniform on ±1/√in. */
export function initLinear(random: Random, inputs: number, outputs: number): Required<Linear<HostTensor>> {
  const bound = 1 / Math.sqrt(inputs);
  return {
    weight: uniformTensor(random.derive("weight"), [inputs, outputs], bound),
    bias: uniformTensor(random.derive("bias"), [outputs], bound),
  };
}

/** [..., in] -> [..., out] */
export function linear({ weight, bias }: Linear<Tensor>, x: Tensor): Tensor {
  const product = matmul(x, weight);
  return bias === undefined ? product : add(product, bias);
}
