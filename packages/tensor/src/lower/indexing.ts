// Gather and scatter. One index array on one axis is Gather; more go through GatherND. Adding rows at indices is a
// matrix product with the one-hot indices where the axis is short (embeddings of characters), else ScatterND.

import { elementCount } from "../host.ts";
import type { Indexing } from "../ir.ts";
import { arrange, contiguous, physicalOrder, resolve, viewContiguous } from "../layout/arrange.ts";
import type { BufferView, View } from "../layout/view.ts";
import { broadcastShape, linear, padRank, range, repeatTo, viewOf } from "../layout/view.ts";
import { ELEMENT_TYPE } from "../onnx/encode.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { reshape, transpose } from "./shape.ts";

/** Axes up to this size take the one-hot product; measured against ScatterND for 2,048 rows of 128 floats. */
const ONE_HOT_SIZE = 1024;

/** The result's shape: the axes that aren't indexed, with those of the indices inserted at `outputAxis`. */
function gatherShape(
  shape: readonly number[],
  indices: readonly number[],
  { axes, outputAxis }: Indexing,
): number[] {
  const rest = shape.filter((_, d) => !axes.includes(d));
  return [...rest.slice(0, outputAxis), ...indices, ...rest.slice(outputAxis)];
}

export function gather(g: GraphBuilder, view: View, indices: readonly View[], indexing: Indexing): View {
  const { axes, outputAxis } = indexing;
  const indexShape = broadcastShape(indices.map((index) => index.shape));
  const shape = gatherShape(view.shape, indexShape, indexing);
  if (view.kind === "splat") return { ...view, shape };
  if (view.scale !== 1) return linear(view, (unscaled) => gather(g, unscaled, indices, indexing));
  if (axes.length === 1) return gatherRows(g, view, indices[0]!, axes[0]!, outputAxis);

  const rest = range(view.shape.length).filter((d) => !axes.includes(d));
  const source = arrange(g, view, [...axes, ...rest], "expand");
  const name = g.node("GatherND", [source, indexTuples(g, indices, indexShape)]);
  const found = [...indexShape, ...rest.map((d) => view.shape[d]!)];
  return transpose(
    viewContiguous(g, name, found, view.dtype),
    toOutput(indexShape.length, rest.length, outputAxis),
  );
}

/** Gather along one axis, whatever the layout of the others. */
function gatherRows(g: GraphBuilder, view: BufferView, index: View, axis: number, outputAxis: number): View {
  const rank = index.shape.length;
  const shape = gatherShape(view.shape, index.shape, { axes: [axis], outputAxis });
  /** Where a dimension that isn't indexed goes. */
  const moved = (d: number): number => {
    const kept = d < axis ? d : d - 1;
    return kept < outputAxis ? kept : kept + rank;
  };
  if (view.axes[axis] === undefined) {
    // All elements along the axis are equal, whichever is asked for.
    const axes = shape.map(() => undefined as BufferView["axes"][number]);
    for (const d of range(view.shape.length)) if (d !== axis) axes[moved(d)] = view.axes[d];
    return { ...view, shape, axes };
  }
  const order = physicalOrder(view);
  const at = order.indexOf(axis);
  const name = g.node("Gather", [resolve(view).name, contiguous(g, index)], { axis: at });
  const indexed = range(rank).map((k) => outputAxis + k);
  const result = order.flatMap((d) => (d === axis ? indexed : [moved(d)]));
  const kept = result.filter((d) => shape[d] !== 1);
  const squeezed =
    kept.length === result.length ? name : g.node("Reshape", [name, g.integers(kept.map((d) => shape[d]!))]);
  return viewOf(squeezed, kept, shape, view.dtype);
}

/** The permutation from [...indices, ...rest] to the order of the result. */
const toOutput = (indexRank: number, restRank: number, outputAxis: number): number[] => {
  const rest = range(restRank).map((k) => k + indexRank);
  return [...rest.slice(0, outputAxis), ...range(indexRank), ...rest.slice(outputAxis)];
};

/** [...indexShape, number of indices], as GatherND and ScatterND take them. */
function indexTuples(g: GraphBuilder, indices: readonly View[], shape: readonly number[]): string {
  const columns = indices.map((index) => {
    const full = contiguous(g, repeatTo(padRank(index, shape.length), shape));
    const wide = g.node("Cast", [full], { to: ELEMENT_TYPE.int64 });
    return g.node("Reshape", [wide, g.integers([...shape, 1])]);
  });
  return columns.length === 1 ? columns[0]! : g.node("Concat", columns, { axis: shape.length });
}

export function scatter(
  g: GraphBuilder,
  updates: View,
  indices: readonly View[],
  shape: readonly number[],
  add: boolean,
  indexing: Indexing,
): View {
  if (updates.kind === "buffer" && updates.scale !== 1)
    return linear(updates, (unscaled) => scatter(g, unscaled, indices, shape, add, indexing));
  const { axes, outputAxis } = indexing;
  const rest = range(shape.length).filter((d) => !axes.includes(d));
  const indexShape = broadcastShape(indices.map((index) => index.shape));
  const indexed = range(indexShape.length).map((k) => outputAxis + k);
  const others = range(rest.length).map((k) => (k < outputAxis ? k : k + indexShape.length));
  const rows = transpose(updates, [...indexed, ...others]); // [...indices, ...rest]
  const restShape = rest.map((d) => shape[d]!);
  const found = [...axes.map((d) => shape[d]!), ...restShape];
  const isOneHot =
    axes.length === 1 && add && updates.dtype === "float32" && shape[axes[0]!]! <= ONE_HOT_SIZE;
  const name = isOneHot
    ? addRows(g, rows, indices[0]!, shape[axes[0]!]!, restShape)
    : g.node(
        "ScatterND",
        [zeros(g, found, updates.dtype), indexTuples(g, indices, indexShape), contiguous(g, rows)],
        add ? { reduction: "add" } : {},
      );
  const permutation = range(shape.length).map((d) =>
    axes.includes(d) ? axes.indexOf(d) : axes.length + rest.indexOf(d),
  );
  return transpose(viewContiguous(g, name, found, updates.dtype), permutation);
}

const zeros = (g: GraphBuilder, shape: readonly number[], dtype: View["dtype"]): string =>
  g.node("Expand", [g.scalar(0, dtype), g.integers(shape)]);

/** onehot(index)ᵀ · rows: [count, size]ᵀ x [count, rest] -> [size, rest] */
function addRows(g: GraphBuilder, rows: View, index: View, size: number, rest: readonly number[]): string {
  const count = elementCount(index.shape);
  const flatIndex = contiguous(g, reshape(g, index, [count]));
  const oneHot = g.node("OneHot", [
    flatIndex,
    g.constant("int32", [1], Int32Array.of(size)),
    g.constant("float32", [2], Float32Array.of(0, 1)),
  ]);
  const matrix = contiguous(g, reshape(g, rows, [count, elementCount(rest)]));
  const sums = g.node("Gemm", [oneHot, matrix], { transA: 1, transB: 0 });
  return g.node("Reshape", [sums, g.integers([size, ...rest])]);
}
