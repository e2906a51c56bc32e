// The weight gradient of a convolution. It is traced as a convolution of the images (batch and channel swapped) with
// the gradients as kernels as large as an image; Conv would be slow at that. Instead, for each position of the small
// kernel: the images shifted by it, times the gradients, summed over batch and space. Per image that is a matrix
// product [channels, space] x [space, outChannels].

import { elementCount } from "../host.ts";
import type { Convolution, Pair } from "../ir.ts";
import type { View } from "../layout/view.ts";
import { range } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { convolutionSize } from "./convolutionSize.ts";
import { dot } from "./dot.ts";
import { reduce } from "./reduce.ts";
import { concatenate, pad, reshape, slice, transpose } from "./shape.ts";

/** Up to this many result rows a single product over all positions pays for the concatenation it needs. */
const CONCATENATED_ROWS = 64;

export function isWeightGradient(x: View, kernel: View, parameters: Convolution): boolean {
  const window = kernel.shape.slice(2);
  return (
    parameters.inputDilation.every((dilation) => dilation === 1) &&
    elementCount(window) > elementCount(convolutionSize(x.shape.slice(2), window, parameters))
  );
}

/**
 * @param images [channels, batch, ...space], not padded yet: here "batch" is the dimension that is summed over
 * @param kernel [outChannels, batch, ...window]
 * @returns [channels, outChannels, ...positions]
 */
export function weightGradient(g: GraphBuilder, images: View, kernel: View, parameters: Convolution): View {
  const { strides, kernelDilation, padding } = parameters;
  const x = pad(g, images, [[0, 0], [0, 0], ...padding]);
  const [channels, batch, ...space] = x.shape as [number, number, ...number[]];
  const outChannels = kernel.shape[0]!;
  const window = kernel.shape.slice(2);
  const pixels = elementCount(window);
  const unpadded = { ...parameters, padding: padding.map((): Pair => [0, 0]) };
  const counts = convolutionSize(space, window, unpadded);
  const positions = counts.reduce<number[][]>(
    (found, count) => found.flatMap((at) => range(count).map((i) => [...at, i])),
    [[]],
  );
  const shifted = positions.map((at) => {
    const from = at.map((position, i) => position * strides[i]!);
    const start = [0, 0, ...from];
    const end = [channels, batch, ...from.map((f, i) => f + (window[i]! - 1) * kernelDilation[i]! + 1)];
    const part = slice(g, x, start, end, [1, 1, ...kernelDilation]);
    return transpose(reshape(g, part, [channels, batch, pixels]), [1, 0, 2]); // [batch, channels, pixels]
  });
  const gradients = transpose(reshape(g, kernel, [outChannels, batch, pixels]), [1, 0, 2]);
  const columns = reshape(g, gradients, [batch, outChannels, 1, pixels]);
  /** [batch, rows, pixels] -> [outChannels, rows], summed over batch and pixels */
  const sumOfProducts = (rows: View): View => {
    const aligned = reshape(g, rows, [batch, 1, rows.shape[1]!, pixels]);
    return reduce(g, dot(g, aligned, columns, x.dtype), "sum", [0]);
  };
  const rank = 2 + counts.length;
  if (channels * positions.length <= CONCATENATED_ROWS) {
    const sums = sumOfProducts(concatenate(g, shifted, 1)); // [outChannels, positions * channels]
    const split = reshape(g, sums, [outChannels, ...counts, channels]);
    return transpose(split, [rank - 1, 0, ...range(counts.length).map((i) => i + 1)]);
  }
  const sums = shifted.map((part) => reshape(g, sumOfProducts(part), [1, outChannels, channels]));
  const split = reshape(g, concatenate(g, sums, 0), [...counts, outChannels, channels]);
  return transpose(split, [rank - 1, rank - 2, ...range(counts.length)]);
}
