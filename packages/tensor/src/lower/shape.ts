// Shape operations: those that only change the view, and those that move data along axes (slice, pad, reverse,
// concatenate). A reshape is free where every group of merged or split dimensions is contiguous in memory.

import { invariant } from "@atoll/core";
import type { Pair } from "../ir.ts";
import { applyScale, arrange, materialize, physicalOrder, resolve } from "../layout/arrange.ts";
import type { Axis, BufferView, View } from "../layout/view.ts";
import { axesOf, Buffer, linear, newAxis, range, realDimensions, viewOf } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";

export function transpose(view: View, permutation: readonly number[]): View {
  const shape = permutation.map((d) => view.shape[d]!);
  if (view.kind === "splat") return { ...view, shape };
  return { ...view, shape, axes: permutation.map((d) => view.axes[d]) };
}

/** Inserts the dimensions `inserted` of `shape`; the view's own dimensions fill the others in order. */
export function broadcast(view: View, shape: readonly number[], inserted: readonly number[]): View {
  if (view.kind === "splat") return { ...view, shape };
  const axes: (Axis | undefined)[] = shape.map(() => undefined);
  const kept = range(shape.length).filter((d) => !inserted.includes(d));
  const missing = kept.length - view.shape.length;
  for (const [i, d] of kept.entries()) axes[d] = i < missing ? undefined : view.axes[i - missing];
  return { ...view, shape, axes };
}

/** Dimensions of the old and of the new shape that hold the same elements; unit dimensions are in no group. */
interface Group {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

function reshapeGroups(from: readonly number[], to: readonly number[]): Group[] {
  const groups: Group[] = [];
  const left = range(from.length).filter((d) => from[d] !== 1);
  const right = range(to.length).filter((d) => to[d] !== 1);
  let i = 0;
  let j = 0;
  while (i < left.length) {
    const [firstLeft, firstRight] = [i, j];
    let [sizeLeft, sizeRight] = [from[left[i++]!]!, to[right[j++]!]!];
    while (sizeLeft !== sizeRight) {
      invariant(
        sizeLeft > 0 && sizeRight > 0 && i <= left.length && j <= right.length,
        `reshape [${from}] -> [${to}]`,
      );
      if (sizeLeft < sizeRight) sizeLeft *= from[left[i++]!]!;
      else sizeRight *= to[right[j++]!]!;
    }
    groups.push({ from: left.slice(firstLeft, i), to: right.slice(firstRight, j) });
  }
  return groups;
}

export function reshape(g: GraphBuilder, view: View, shape: readonly number[]): View {
  if (view.kind === "splat") return { ...view, shape };
  if (view.scale !== 1) return linear(view, (unscaled) => reshape(g, unscaled, shape));
  const groups = reshapeGroups(view.shape, shape);
  const axes: (Axis | undefined)[] = shape.map(() => undefined);
  const regrouped: Group[] = [];
  for (const group of groups) {
    const real = realDimensions(view, group.from).length;
    if (group.from.length === 1 && group.to.length === 1) axes[group.to[0]!] = view.axes[group.from[0]!];
    else if (real > 0 && real < group.from.length)
      return reshape(g, materialize(g, view, group.from), shape); // A group that repeats in part must be laid out.
    else if (real > 0) regrouped.push(group);
  }
  if (regrouped.length === 0) return { ...view, shape, axes };

  const tensor = resolve(view);
  const physical = [...tensor.axes];
  for (const group of regrouped) {
    const old = group.from.map((d) => view.axes[d]!);
    const at = physical.indexOf(old[0]!);
    if (old.some((axis, k) => physical[at + k] !== axis)) {
      const order = realDimensions(view);
      return reshape(g, viewOf(arrange(g, view, order), order, view.shape, view.dtype), shape);
    }
    const fresh = group.to.map((d) => newAxis(shape[d]!));
    for (const [k, d] of group.to.entries()) axes[d] = fresh[k];
    physical.splice(at, old.length, ...fresh);
  }
  const name = g.node("Reshape", [tensor.name, g.integers(physical.map((axis) => axis.size))]);
  return { ...view, buffer: new Buffer({ name, axes: physical }), shape, axes };
}

/** The part [start, end) of each dimension, every `step`-th element of it. */
export function slice(
  g: GraphBuilder,
  view: View,
  start: readonly number[],
  end: readonly number[],
  step: readonly number[] = start.map(() => 1),
): View {
  const shape = start.map((from, d) => Math.ceil((end[d]! - from) / step[d]!));
  if (view.kind === "splat") return { ...view, shape };
  if (view.scale !== 1) return linear(view, (unscaled) => slice(g, unscaled, start, end, step));
  const cut = realDimensions(view).filter((d) => start[d] !== 0 || end[d] !== view.shape[d] || step[d] !== 1);
  if (cut.length === 0) return { ...view, shape };
  const tensor = resolve(view);
  const positions = cut.map((d) => tensor.axes.indexOf(view.axes[d]!));
  const bounds = [cut.map((d) => start[d]!), cut.map((d) => end[d]!), positions, cut.map((d) => step[d]!)];
  const name = g.node("Slice", [tensor.name, ...bounds.map((values) => g.integers(values))]);
  const order = physicalOrder(view);
  const kept = order.filter((d) => shape[d] !== 1); // A dimension cut down to one element loses its axis.
  const squeezed =
    kept.length === order.length ? name : g.node("Reshape", [name, g.integers(kept.map((d) => shape[d]!))]);
  return viewOf(squeezed, kept, shape, view.dtype);
}

/** Adds zeros (false) before and after each dimension; negative widths cut. */
export function pad(g: GraphBuilder, view: View, width: readonly Pair[]): View {
  if (view.kind === "buffer" && view.scale !== 1) return linear(view, (unscaled) => pad(g, unscaled, width));
  if (width.some(([before, after]) => before < 0 || after < 0)) {
    const start = width.map(([before]) => Math.max(0, -before));
    const end = width.map(([, after], d) => view.shape[d]! - Math.max(0, -after));
    const positive = width.map(([before, after]): Pair => [Math.max(before, 0), Math.max(after, 0)]);
    return pad(g, slice(g, view, start, end), positive);
  }
  const padded = range(width.length).filter((d) => width[d]![0] > 0 || width[d]![1] > 0);
  if (padded.length === 0) return view;
  const laid = materialize(g, view, padded);
  const real = laid.kind === "buffer" ? physicalOrder(laid) : [];
  const order = [...padded.filter((d) => !real.includes(d)), ...real]; // Unit dimensions gain an axis.
  const shape = view.shape.map((size, d) => size + width[d]![0] + width[d]![1]);
  const widths = [...order.map((d) => width[d]![0]), ...order.map((d) => width[d]![1])];
  const source = arrange(g, laid, order, "expand");
  const name = g.node("Pad", [source, g.integers(widths), g.scalar(0, view.dtype)]);
  return viewOf(name, order, shape, view.dtype);
}

/** Reverses the order of the elements along `dimensions`. */
export function reverse(g: GraphBuilder, view: View, dimensions: readonly number[]): View {
  if (view.kind === "splat") return view;
  if (view.scale !== 1) return linear(view, (unscaled) => reverse(g, unscaled, dimensions));
  const turned = realDimensions(view, dimensions);
  if (turned.length === 0) return view;
  const tensor = resolve(view);
  const name = g.node("Slice", [
    tensor.name,
    g.integers(turned.map((d) => view.shape[d]! - 1)),
    g.integers(turned.map((d) => -view.shape[d]! - 1)), // Counted from the end: one before the first element.
    g.integers(turned.map((d) => tensor.axes.indexOf(view.axes[d]!))),
    g.integers(turned.map(() => -1)),
  ]);
  return { ...view, buffer: new Buffer({ name, axes: tensor.axes }) };
}

export function concatenate(g: GraphBuilder, operands: readonly View[], axis: number): View {
  const views = operands.map((operand) => applyScale(g, operand));
  const first = views[0]!;
  if (views.length === 1) return first;
  const shape = first.shape.map((size, d) =>
    d === axis ? views.reduce((sum, view) => sum + view.shape[axis]!, 0) : size,
  );
  const order = concatenationOrder(views, axis);
  const names = views.map((view) => arrange(g, view, order, "expand"));
  const name = g.node("Concat", names, { axis: order.indexOf(axis) });
  return viewOf(name, order, shape, first.dtype);
}

/** The operands' own order of axes where they agree on one, else the logical one. */
function concatenationOrder(views: readonly View[], axis: number): number[] {
  const used = range(views[0]!.shape.length).filter(
    (d) => d === axis || views.some((view) => realDimensions(view).includes(d)),
  );
  const orders = views.map((view) => (view.kind === "buffer" ? physicalOrder(view) : []));
  const common = orders[0]!;
  if (!orders.every((order) => order.join() === common.join())) return used;
  if (common.length === used.length) return common;
  return common.includes(axis) ? used : [axis, ...common];
}

/** Cuts one dimension into consecutive parts. */
export function split(g: GraphBuilder, view: View, axis: number, sizes: readonly number[]): View[] {
  let offset = 0;
  return sizes.map((size) => {
    const start = view.shape.map((_, d) => (d === axis ? offset : 0));
    const end = view.shape.map((length, d) => (d === axis ? offset + size : length));
    offset += size;
    return slice(g, view, start, end);
  });
}

/** The axes of a view's tensor that lie behind some of its dimensions, as positions. */
export function positionsOf(view: BufferView, dimensions: readonly number[]): number[] {
  const tensor = resolve(view);
  return axesOf(view, dimensions)
    .map((axis) => tensor.axes.indexOf(axis))
    .sort((a, b) => a - b);
}
