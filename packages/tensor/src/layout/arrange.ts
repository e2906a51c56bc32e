// Fixing layouts: turning a view into a tensor of the graph whose axes lie in a given order. This is the only place
// that transposes or repeats data.

import { invariant } from "@atoll/core";
import type { GraphBuilder } from "../onnx/graph.ts";
import type { AddBias, BufferView, GraphTensor, View } from "./view.ts";
import { axesOf, Buffer, range, realDimensions, viewOf, withoutScale } from "./view.ts";

/**
 * What happens to dimensions without an axis: `unit` leaves size 1 there, `strip` also drops leading ones (enough where
 * the operator broadcasts), `expand` repeats them in full.
 */
export type Broadcasting = "unit" | "strip" | "expand";

/** The tensor behind a view, in any order; if still open, in the view's own. */
export const resolve = (view: BufferView, order?: readonly number[]): GraphTensor =>
  view.buffer.resolve(axesOf(view, order));

/** The dimensions that have an axis, in the order in which their axes lie in memory. */
export function physicalOrder(view: BufferView): number[] {
  const { axes } = resolve(view);
  const position = (d: number): number => axes.indexOf(view.axes[d]!);
  return realDimensions(view).sort((a, b) => position(a) - position(b));
}

/** Applies a pending factor. */
export function applyScale(g: GraphBuilder, view: View, order?: readonly number[]): View {
  if (view.kind === "splat" || view.scale === 1) return view;
  const { name, axes } = resolve(view, order);
  const scaled =
    view.scale === -1
      ? g.node("Neg", [name])
      : g.node("Mul", [name, g.scalar(Math.fround(view.scale), view.dtype)]);
  return { ...view, buffer: new Buffer({ name: scaled, axes }), scale: 1 };
}

/** The name of a tensor with the view's dimensions in the order `order` (which has every dimension with an axis). */
export function arrange(
  g: GraphBuilder,
  view: View,
  order: readonly number[],
  broadcasting: Broadcasting = "unit",
): string {
  const full = order.map((d) => view.shape[d]!);
  if (view.kind === "splat") {
    const name = g.scalar(view.value, view.dtype);
    return broadcasting === "expand" && full.length > 0 ? g.node("Expand", [name, g.integers(full)]) : name;
  }
  const applied = applyScale(g, view, order) as BufferView;
  const tensor = resolve(applied, order);
  const real = realDimensions(applied, order);
  const wanted = real.map((d) => applied.axes[d]!);
  invariant(wanted.length === tensor.axes.length, "a layout names every axis of its tensor");
  let { name } = tensor;
  if (wanted.some((axis, i) => axis !== tensor.axes[i]))
    name = g.node("Transpose", [name], { perm: wanted.map((axis) => tensor.axes.indexOf(axis)) });
  let sizes = order.map((d) => (applied.axes[d] === undefined ? 1 : view.shape[d]!));
  if (broadcasting === "strip") {
    const first = sizes.findIndex((size) => size !== 1);
    sizes = first < 0 ? [] : sizes.slice(first);
  }
  if (sizes.length !== real.length) name = g.node("Reshape", [name, g.integers(sizes)]);
  if (broadcasting === "expand" && full.some((size, i) => size !== sizes[i]))
    name = g.node("Expand", [name, g.integers(full)]);
  return name;
}

/** The name of a tensor that has exactly the view's shape, row-major. */
export const contiguous = (g: GraphBuilder, view: View): string =>
  arrange(g, view, range(view.shape.length), "expand");

/** A view of a tensor that has exactly this shape. Unit axes are dropped from the tensor. */
export function viewContiguous(
  g: GraphBuilder,
  name: string,
  shape: readonly number[],
  dtype: View["dtype"],
  addBias?: AddBias,
): BufferView {
  const order = range(shape.length).filter((d) => shape[d] !== 1);
  const squeezed =
    order.length === shape.length ? name : g.node("Reshape", [name, g.integers(order.map((d) => shape[d]!))]);
  return viewOf(squeezed, order, shape, dtype, addBias);
}

/** Gives every dimension in `dimensions` an axis of its own by repeating the data along it. */
export function materialize(g: GraphBuilder, view: View, dimensions: readonly number[]): View {
  const real = realDimensions(view);
  const missing = dimensions.filter((d) => !real.includes(d) && view.shape[d] !== 1);
  if (missing.length === 0) return view;
  const scale = view.kind === "buffer" ? view.scale : 1;
  const plain = view.kind === "buffer" ? withoutScale(view) : view;
  const order = range(view.shape.length).filter((d) => real.includes(d) || missing.includes(d));
  const name = arrange(g, plain, order, "expand");
  return { ...viewOf(name, order, view.shape, view.dtype), scale };
}
