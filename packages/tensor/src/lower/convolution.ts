// Convolutions, and what their gradients look like when jax-js traces them:
//   forward          Conv
//   input gradient   a convolution with the reversed kernel, padded or dilated: ConvTranspose
//   weight gradient  a convolution whose window is as large as an image: see convolutionWeights.ts
// Source of the gradients' form: the transpose rules of lax.conv_general_dilated.

import { elementCount } from "../host.ts";
import type { Convolution, Pair } from "../ir.ts";
import { arrange, contiguous, viewContiguous } from "../layout/arrange.ts";
import type { BufferView, View } from "../layout/view.ts";
import { broadcastShape, range, repeatTo, scaleBy, withoutScale } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { convolutionSize } from "./convolutionSize.ts";
import { isWeightGradient, weightGradient } from "./convolutionWeights.ts";
import { concatenate, pad, reshape, slice, transpose } from "./shape.ts";

/**
 * @param x [...mapped, batch, channel, ...space]
 * @param kernel [...mapped, outChannel, channel, ...window]
 * @param reversedFrom the kernel from which `kernel` was made by reversing all its spatial axes, if it was
 */
export function convolution(
  g: GraphBuilder,
  x: View,
  kernel: View,
  parameters: Convolution,
  reversedFrom?: View,
): View {
  const scale = (x.kind === "buffer" ? x.scale : 1) * (kernel.kind === "buffer" ? kernel.scale : 1);
  if (scale !== 1) {
    const plain = (view: View): View => (view.kind === "buffer" ? withoutScale(view) : view);
    const source = reversedFrom === undefined ? undefined : plain(reversedFrom);
    return scaleBy(convolution(g, plain(x), plain(kernel), parameters, source), scale);
  }
  if (parameters.mappedAxes > 0) return mapped(g, x, kernel, parameters);
  if (isWeightGradient(x, kernel, parameters)) return weightGradient(g, x, kernel, parameters);
  if (reversedFrom !== undefined) {
    const transposed = transposedConvolution(g, x, reversedFrom, parameters);
    if (transposed !== undefined) return transposed;
  }
  if (parameters.inputDilation.some((dilation) => dilation !== 1)) return dilated(g, x, kernel, parameters);
  return plainConvolution(g, x, kernel, parameters, 1);
}

/** A convolution that Conv computes as it is; a vector added along its channels becomes Conv's third operand. */
function plainConvolution(
  g: GraphBuilder,
  x: View,
  kernel: View,
  parameters: Convolution,
  groups: number,
): View {
  const { strides, padding, kernelDilation } = parameters;
  if (padding.some(([before, after]) => before < 0 || after < 0)) {
    const cut = pad(g, x, [[0, 0], [0, 0], ...padding]);
    return plainConvolution(
      g,
      cut,
      kernel,
      { ...parameters, padding: padding.map((): Pair => [0, 0]) },
      groups,
    );
  }
  const attributes = {
    strides,
    dilations: kernelDilation,
    pads: [...padding.map(([before]) => before), ...padding.map(([, after]) => after)],
    group: groups,
  };
  const space = convolutionSize(x.shape.slice(2), kernel.shape.slice(2), parameters);
  const shape = [x.shape[0]!, kernel.shape[0]!, ...space];
  const operands = [contiguous(g, x), contiguous(g, kernel)];
  const result: BufferView = viewContiguous(
    g,
    g.node("Conv", operands, attributes),
    shape,
    x.dtype,
    (along, bias, factor) => {
      if (along !== result.axes[1] || factor !== 1) return undefined;
      const name = g.node("Conv", [...operands, bias()], attributes);
      const biased = viewContiguous(g, name, shape, x.dtype);
      const order = range(shape.length).filter((d) => shape[d] !== 1);
      return { name: arrange(g, biased, order), axes: order.map((d) => result.axes[d]!) };
    },
  );
  return result;
}

/**
 * The input gradient as ConvTranspose, which takes the kernel as it was in the forward pass. Undefined where that
 * operator's padding cannot express it.
 */
function transposedConvolution(
  g: GraphBuilder,
  x: View,
  kernel: View,
  parameters: Convolution,
): View | undefined {
  const { strides, padding, inputDilation, kernelDilation } = parameters;
  if (strides.some((stride) => stride !== 1)) return undefined;
  const window = kernel.shape.slice(2);
  const space = convolutionSize(x.shape.slice(2), window, parameters);
  // The work of Conv grows with its result, that of ConvTranspose with its input; on equal sizes Conv is 10 % faster.
  const isDense = inputDilation.every((dilation) => dilation === 1);
  if (isDense && elementCount(space) <= elementCount(x.shape.slice(2))) return undefined;
  const before = window.map((size, i) => (size - 1) * kernelDilation[i]! - padding[i]![0]);
  const after = window.map((size, i) => {
    const full = (x.shape[i + 2]! - 1) * inputDilation[i]! + (size - 1) * kernelDilation[i]! + 1;
    return full - before[i]! - space[i]!;
  });
  // A negative pad after the image is ConvTranspose's output_padding, which must stay below the stride.
  if (before.some((width) => width < 0) || after.some((width, i) => -width >= inputDilation[i]! && width < 0))
    return undefined;
  const swapped = transpose(kernel, [1, 0, ...range(kernel.shape.length).slice(2)]);
  const name = g.node("ConvTranspose", [contiguous(g, x), contiguous(g, swapped)], {
    strides: inputDilation,
    dilations: kernelDilation,
    pads: [...before, ...after.map((width) => Math.max(width, 0))],
    output_padding: after.map((width) => Math.max(-width, 0)),
  });
  return viewContiguous(g, name, [x.shape[0]!, kernel.shape[0]!, ...space], x.dtype);
}

/** Convolution of an input with zeros between its elements: inserts them by padding each element on its own axis. */
function dilated(g: GraphBuilder, x: View, kernel: View, parameters: Convolution): View {
  const { inputDilation } = parameters;
  const outer = x.shape.slice(0, 2);
  const space = x.shape.slice(2);
  const none: Pair = [0, 0];
  const spread = reshape(g, x, [...outer, ...space.flatMap((size) => [size, 1])]);
  const widths = inputDilation.flatMap((dilation): Pair[] => [none, [0, dilation - 1]]);
  const padded = pad(g, spread, [none, none, ...widths]);
  const joined = reshape(g, padded, [...outer, ...space.map((size, i) => size * inputDilation[i]!)]);
  const end = [...outer, ...space.map((size, i) => (size - 1) * inputDilation[i]! + 1)];
  const trimmed = slice(
    g,
    joined,
    end.map(() => 0),
    end,
  );
  return convolution(g, trimmed, kernel, { ...parameters, inputDilation: inputDilation.map(() => 1) });
}

/** Mapped axes become one, and that becomes the groups of a grouped convolution. */
function mapped(g: GraphBuilder, x: View, kernel: View, parameters: Convolution): View {
  const { mappedAxes, inputDilation } = parameters;
  const outer = broadcastShape([x.shape.slice(0, mappedAxes), kernel.shape.slice(0, mappedAxes)]);
  const groups = elementCount(outer);
  const merge = (view: View): View => {
    const inner = view.shape.slice(mappedAxes);
    return reshape(g, repeatTo(view, [...outer, ...inner]), [groups, ...inner]);
  };
  const [images, kernels] = [merge(x), merge(kernel)];
  const one = { ...parameters, mappedAxes: 0 };
  const [batch, channels, ...space] = images.shape.slice(1) as [number, number, ...number[]];
  const [outChannels, , ...window] = kernels.shape.slice(1) as [number, number, ...number[]];
  const resultSpace = convolutionSize(space, window, one);
  if (inputDilation.some((dilation) => dilation !== 1) || groups === 1) {
    const each = range(groups).map((i) => {
      const part = (view: View): View => {
        const start = view.shape.map((_, d) => (d === 0 ? i : 0));
        const end = view.shape.map((size, d) => (d === 0 ? i + 1 : size));
        return reshape(g, slice(g, view, start, end), view.shape.slice(1));
      };
      return convolution(g, part(images), part(kernels), one);
    });
    const stacked = each.map((view) => reshape(g, view, [1, ...view.shape]));
    return reshape(g, concatenate(g, stacked, 0), [...outer, batch, outChannels, ...resultSpace]);
  }
  const rest = range(images.shape.length).slice(2);
  const grouped = reshape(g, transpose(images, [1, 0, ...rest]), [batch, groups * channels, ...space]);
  const flat = reshape(g, kernels, [groups * outChannels, channels, ...window]);
  const result = plainConvolution(g, grouped, flat, one, groups);
  const split = reshape(g, result, [batch, groups, outChannels, ...resultSpace]);
  const restored = transpose(split, [1, 0, ...range(split.shape.length).slice(2)]);
  return reshape(g, restored, [...outer, batch, outChannels, ...resultSpace]);
}
