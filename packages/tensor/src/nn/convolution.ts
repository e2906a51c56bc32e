// Two-dimensional convolution (cross-correlation) over images in NCHW order, with a bias for each output channel.

import type { Random } from "@atoll/core";
import type { Tensor } from "../borrow.ts";
import type { HostTensor } from "../host.ts";
import { add, type ConvolutionOptions, conv2d, reshape } from "../ops.ts";
import { uniformTensor } from "./initializers.ts";

export type Convolution<T> = {
  /** [out, in, size, size] */
  readonly weight: T;
  /** [out] */
  readonly bias: T;
};

export interface ConvolutionShape {
  readonly inputs: number;
  readonly outputs: number;
  /** Height and width of the kernel. */
  readonly size: number;
}

/** PyTorch's default: weights and bias uniform on ±1/√(in · size²). */
export function initConvolution(
  random: Random,
  { inputs, outputs, size }: ConvolutionShape,
): Convolution<HostTensor> {
  const bound = 1 / Math.sqrt(inputs * size * size);
  return {
    weight: uniformTensor(random.derive("weight"), [outputs, inputs, size, size], bound),
    bias: uniformTensor(random.derive("bias"), [outputs], bound),
  };
}

/** [batch, in, height, width] -> [batch, out, height', width'] */
export function convolution(
  { weight, bias }: Convolution<Tensor>,
  x: Tensor,
  options: ConvolutionOptions = {},
): Tensor {
  return add(conv2d(x, weight, options), reshape(bias, [bias.size, 1, 1]));
}
