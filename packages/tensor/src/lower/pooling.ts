// Pooling. Max pooling arrives recognised (simplify/maxPool.ts) and runs on MaxPool and MaxUnpool; other reductions over
// windows see the windows as axes, which is free where they tile the array.

import { elementCount } from "../host.ts";
import type { Pair, Window } from "../ir.ts";
import { arrange, contiguous, viewContiguous } from "../layout/arrange.ts";
import type { View } from "../layout/view.ts";
import { linear, range, realDimensions, scaleBy, viewOf } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { pointwise } from "./pointwise.ts";
import { isCompared, isTiling, windowCounts } from "./poolingSize.ts";
import { concatenate, pad, reshape, slice, transpose } from "./shape.ts";

/** All positions within a window, row-major. */
const positions = (window: readonly number[]): number[][] =>
  window.reduce<number[][]>((found, size) => found.flatMap((at) => range(size).map((i) => [...at, i])), [[]]);

/** [...outer, ...space] -> [...outer, ...counts, ...window] */
export function windows(g: GraphBuilder, view: View, pooling: Window): View {
  if (view.kind === "buffer" && view.scale !== 1)
    return linear(view, (unscaled) => windows(g, unscaled, pooling));
  const { window, strides } = pooling;
  const outer = view.shape.slice(0, view.shape.length - window.length);
  const space = view.shape.slice(outer.length);
  const counts = windowCounts(space, pooling);
  if (isTiling(space, pooling)) return tiles(g, view, outer, counts, window);
  const parts = positions(window).map((at) => {
    const start = [...outer.map(() => 0), ...at];
    const end = [...outer, ...at.map((from, i) => from + (counts[i]! - 1) * strides[i]! + 1)];
    const part = slice(g, view, start, end, [...outer.map(() => 1), ...strides]);
    return reshape(g, part, [1, ...part.shape]);
  });
  const stacked = reshape(g, concatenate(g, parts, 0), [...window, ...outer, ...counts]);
  const rank = stacked.shape.length;
  return transpose(stacked, [...range(rank).slice(window.length), ...range(window.length)]);
}

/** Tiling windows are a reshape; they are laid out window first, so that a reduction over them runs along long rows. */
function tiles(
  g: GraphBuilder,
  view: View,
  outer: readonly number[],
  counts: readonly number[],
  window: readonly number[],
): View {
  const split = reshape(g, view, [...outer, ...counts.flatMap((count, i) => [count, window[i]!])]);
  const k = window.length;
  const axes = range(k).map((i) => outer.length + 2 * i);
  const result = transpose(split, [...range(outer.length), ...axes, ...axes.map((d) => d + 1)]);
  if (result.kind === "splat") return result;
  const rank = result.shape.length;
  const order = realDimensions(result, [...range(rank).slice(rank - k), ...range(rank - k)]);
  return viewOf(arrange(g, result, order), order, result.shape, result.dtype);
}

/** [...outer, ...counts, ...window] -> [...outer, ...space], summing where windows overlap. */
export function overlapAdd(g: GraphBuilder, view: View, shape: readonly number[], pooling: Window): View {
  if (view.kind === "buffer" && view.scale !== 1)
    return linear(view, (unscaled) => overlapAdd(g, unscaled, shape, pooling));
  const { window, strides } = pooling;
  const k = window.length;
  const outer = shape.slice(0, shape.length - k);
  const space = shape.slice(outer.length);
  const counts = windowCounts(space, pooling);
  if (isTiling(space, pooling)) {
    const woven = range(k).flatMap((i) => [outer.length + i, outer.length + k + i]);
    return reshape(g, transpose(view, [...range(outer.length), ...woven]), shape);
  }
  const none: Pair = [0, 0];
  const terms = positions(window).map((at) => {
    const start = [...outer.map(() => 0), ...counts.map(() => 0), ...at];
    const end = [...outer, ...counts, ...at.map((i) => i + 1)];
    const one = reshape(g, slice(g, view, start, end), [...outer, ...counts.flatMap((count) => [count, 1])]);
    const gaps = strides.flatMap((stride): Pair[] => [none, [0, stride - 1]]);
    const spread = pad(g, one, [...outer.map(() => none), ...gaps]);
    const joined = reshape(g, spread, [...outer, ...counts.map((count, i) => count * strides[i]!)]);
    const shift = at.map((from, i): Pair => [from, space[i]! - from - counts[i]! * strides[i]!]);
    return pad(g, joined, [...outer.map(() => none), ...shift]);
  });
  return terms.reduce((sum, term) => pointwise(g, [sum, term], view.dtype, (names) => g.node("Add", names)));
}

/** MaxPool takes [batch, channel, ...space]: other leading axes are merged into the batch. */
const imageShape = (shape: readonly number[], k: number): number[] => {
  const outer = shape.slice(0, shape.length - k);
  return [elementCount(outer.slice(0, -1)), outer.at(-1) ?? 1, ...shape.slice(outer.length)];
};

const attributesOf = ({
  window,
  strides,
}: Window): { kernel_shape: readonly number[]; strides: readonly number[] } => ({
  kernel_shape: window,
  strides,
});

/** @param withIndices computes the indices too, so that the gradient finds this very node */
export function maxPool(g: GraphBuilder, view: View, pooling: Window, withIndices: boolean): View {
  const k = pooling.window.length;
  const shape = imageShape(view.shape, k);
  const images = contiguous(g, reshape(g, view, shape));
  const [pooled] = g.nodes("MaxPool", [images], withIndices ? 2 : 1, attributesOf(pooling));
  const counts = windowCounts(view.shape.slice(-k), pooling);
  const result = viewContiguous(g, pooled!, [...shape.slice(0, 2), ...counts], view.dtype);
  return reshape(g, result, [...view.shape.slice(0, -k), ...counts]);
}

export function maxPoolGradient(g: GraphBuilder, view: View, gradient: View, pooling: Window): View {
  if (gradient.kind === "buffer" && gradient.scale !== 1)
    return scaleBy(maxPoolGradient(g, view, { ...gradient, scale: 1 }, pooling), gradient.scale);
  const k = pooling.window.length;
  const shape = imageShape(view.shape, k);
  const images = contiguous(g, reshape(g, view, shape));
  const counts = windowCounts(view.shape.slice(-k), pooling);
  const pooled = contiguous(g, reshape(g, gradient, [...shape.slice(0, 2), ...counts]));
  const name = isCompared(view.shape, pooling)
    ? gradientByComparison(g, images, pooled, shape, pooling)
    : gradientByIndices(g, images, pooled, shape, pooling);
  return reshape(g, viewContiguous(g, name, shape, view.dtype), view.shape);
}

/** Sends the cotangent to one element of each window, also where several are largest. */
function gradientByIndices(
  g: GraphBuilder,
  images: string,
  gradient: string,
  shape: readonly number[],
  pooling: Window,
): string {
  const [, indices] = g.nodes("MaxPool", [images], 2, attributesOf(pooling));
  return g.node("MaxUnpool", [gradient, indices!, g.integers(shape)], attributesOf(pooling));
}

/** So steep that any difference of normal floats saturates it. */
const STEEP = { float: 3e38 };

/**
 * Shares the cotangent among the elements that equal their window's maximum, as jax-js does. The comparison is one pass,
 * 1 − 3·10³⁸ (maximum − x) clipped to [0, 1], which as Equal and Cast would be two.
 */
function gradientByComparison(
  g: GraphBuilder,
  images: string,
  gradient: string,
  shape: readonly number[],
  pooling: Window,
): string {
  const tiles = tileMatrix(g, shape, pooling);
  const maxima = tiles.repeat(g.node("MaxPool", [images], attributesOf(pooling)));
  const isLargest = g.node("HardSigmoid", [g.node("Sub", [images, maxima])], {
    alpha: STEEP,
    beta: { float: 1 },
  });
  const counts = tiles.sum(isLargest);
  const share = g.node("Div", [g.node("Reshape", [gradient, g.integers([-1, tiles.columns])]), counts]);
  return g.node("Mul", [isLargest, tiles.repeat(share)]);
}

/** Repeats elements over their windows, and sums windows, as products with a matrix of zeros and ones. */
interface TileMatrix {
  /** Windows a row. */
  readonly columns: number;
  /** [..., columns] -> `shape` */
  readonly repeat: (pooled: string) => string;
  /** `shape` -> [rows of windows, columns] */
  readonly sum: (images: string) => string;
}

/**
 * All rows of a row of windows lie in memory one after the other, so a pooled row times one matrix gives them all, and
 * the other way round. Such a product takes half as long as pooling or resizing, which don't handle several at once.
 */
function tileMatrix(g: GraphBuilder, shape: readonly number[], { window }: Window): TileMatrix {
  const [height, width] = window as readonly [number, number];
  const imageWidth = shape.at(-1)!;
  const [columns, length] = [imageWidth / width, height * imageWidth];
  const elements = new Float32Array(columns * length);
  for (let j = 0; j < length; j++) elements[Math.floor((j % imageWidth) / width) * length + j] = 1;
  const matrix = g.constant("float32", [columns, length], elements);
  const rowsOf = (name: string, size: number): string => g.node("Reshape", [name, g.integers([-1, size])]);
  return {
    columns,
    repeat: (pooled) =>
      g.node("Reshape", [g.node("MatMul", [rowsOf(pooled, columns), matrix]), g.integers(shape)]),
    sum: (images) => g.node("Gemm", [rowsOf(images, length), matrix], { transA: 0, transB: 1 }),
  };
}
