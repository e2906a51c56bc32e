// Batch normalisation over images. Ioffe and Szegedy, "Batch normalization" (ICML 2015), algorithms 1 and 2, with the
// conventions of PyTorch's `BatchNorm2d`: a batch is normalised by its biased variance, and the running variance takes
// in the unbiased one.

import type { Tensor } from "../borrow.ts";
import type { HostTensor } from "../host.ts";
import { add, divide, mean, multiply, reshape, sqrt, square, stopGradient, subtract } from "../ops.ts";
import { filledTensor } from "./initializers.ts";

export type BatchNorm<T> = {
  /** [channels] */
  readonly weight: T;
  /** [channels] */
  readonly bias: T;
};

/** Not trained: statistics that training gathers and evaluation uses. */
export type BatchNormBuffers<T> = {
  /** [channels] */
  readonly runningMean: T;
  /** [channels] */
  readonly runningVar: T;
};

const EPSILON = 1e-5;
/** The part that a new batch has in the running statistics. */
const MOMENTUM = 0.1;

export const initBatchNorm = (
  channels: number,
): { readonly parameters: BatchNorm<HostTensor>; readonly buffers: BatchNormBuffers<HostTensor> } => ({
  parameters: { weight: filledTensor([channels], 1), bias: filledTensor([channels], 0) },
  buffers: { runningMean: filledTensor([channels], 0), runningVar: filledTensor([channels], 1) },
});

/**
 * Training normalises each channel by the batch's own statistics and returns buffers that have moved towards them;
 * evaluation uses the buffers and returns them as they are. [batch, channels, height, width] -> the same shape
 */
export function batchNorm(
  { weight, bias }: BatchNorm<Tensor>,
  x: Tensor,
  { training, buffers }: { readonly training: boolean; readonly buffers: BatchNormBuffers<Tensor> },
): { readonly output: Tensor; readonly buffers: BatchNormBuffers<Tensor> } {
  const [batch = 1, channels = 1, height = 1, width = 1] = x.shape;
  const perChannel = (v: Tensor): Tensor => reshape(v, [channels, 1, 1]); // [channels] -> broadcasts over x
  const normalise = (centred: Tensor, variance: Tensor): Tensor => {
    const scale = divide(weight, sqrt(add(variance, EPSILON)));
    return add(multiply(centred, perChannel(scale)), perChannel(bias));
  };
  if (!training) {
    const centred = subtract(x, perChannel(buffers.runningMean));
    return { output: normalise(centred, buffers.runningVar), buffers };
  }
  const average = mean(x, { axis: [0, 2, 3] });
  const centred = subtract(x, perChannel(average));
  const variance = mean(square(centred), { axis: [0, 2, 3] });
  const count = batch * height * width;
  const unbiased = multiply(stopGradient(variance), count / Math.max(count - 1, 1));
  return {
    output: normalise(centred, variance),
    buffers: {
      runningMean: moved(buffers.runningMean, stopGradient(average)),
      runningVar: moved(buffers.runningVar, unbiased),
    },
  };
}

const moved = (running: Tensor, batch: Tensor): Tensor =>
  add(multiply(running, 1 - MOMENTUM), multiply(batch, MOMENTUM));
