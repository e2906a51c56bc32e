// Sizes of convolutions, shared by the lowering and the count of operations.

import type { Convolution } from "../ir.ts";

/** Spatial sizes of a convolution's result. */
export const convolutionSize = (
  input: readonly number[],
  kernel: readonly number[],
  { strides, padding, inputDilation, kernelDilation }: Convolution,
): number[] =>
  input.map((size, i) => {
    const dilated = (size - 1) * inputDilation[i]! + 1 + padding[i]![0] + padding[i]![1];
    return Math.floor((dilated - ((kernel[i]! - 1) * kernelDilation[i]! + 1)) / strides[i]!) + 1;
  });
