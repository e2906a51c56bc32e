// Reductions. A dimension that only repeats its data is not reduced by the graph: a sum over it is a factor.

import { invariant } from "@atoll/core";
import type { Reduction } from "../ir.ts";
import { applyScale, resolve } from "../layout/arrange.ts";
import type { BufferView, View } from "../layout/view.ts";
import { Buffer, linear, range, realDimensions, scaleBy } from "../layout/view.ts";
import { ELEMENT_TYPE } from "../onnx/encode.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { pointwise } from "./pointwise.ts";
import { positionsOf } from "./shape.ts";

const OPERATOR: Readonly<Record<Reduction, string>> = {
  sum: "ReduceSum",
  product: "ReduceProd",
  maximum: "ReduceMax",
  minimum: "ReduceMin",
};

export function reduce(g: GraphBuilder, view: View, fn: Reduction, dimensions: readonly number[]): View {
  if (view.kind === "buffer" && view.scale !== 1) {
    if (fn === "sum") return linear(view, (unscaled) => reduce(g, unscaled, fn, dimensions));
    return reduce(g, applyScale(g, view), fn, dimensions);
  }
  const kept = range(view.shape.length).filter((d) => !dimensions.includes(d));
  const shape = kept.map((d) => view.shape[d]!);
  const real = realDimensions(view, dimensions);
  const repeats = dimensions
    .filter((d) => !real.includes(d))
    .reduce((product, d) => product * view.shape[d]!, 1);
  const reduced =
    view.kind === "splat"
      ? { ...view, shape }
      : { ...reduceAxes(g, view, fn, real), shape, axes: kept.map((d) => view.axes[d]) };
  return repeats === 1 ? reduced : repeat(g, reduced, fn, repeats);
}

/** What the operators reduce in: they take no booleans and no unsigned integers. */
const REDUCED_IN = { float32: undefined, int32: undefined, uint32: "int64", bool: "int32" } as const;

/** Reduces the axes behind `real`. */
function reduceAxes(g: GraphBuilder, view: BufferView, fn: Reduction, real: readonly number[]): BufferView {
  if (real.length === 0) return view;
  const tensor = resolve(view);
  const gone = new Set(real.map((d) => view.axes[d]!));
  const wide = REDUCED_IN[view.dtype];
  const source = wide === undefined ? tensor.name : g.node("Cast", [tensor.name], { to: ELEMENT_TYPE[wide] });
  const axes = g.integers(positionsOf(view, real));
  const result = g.node(OPERATOR[fn], [source, axes], { keepdims: 0 });
  const name = wide === undefined ? result : g.node("Cast", [result], { to: ELEMENT_TYPE[view.dtype] });
  return { ...view, buffer: new Buffer({ name, axes: tensor.axes.filter((axis) => !gone.has(axis)) }) };
}

/** The reduction of `count` equal elements. */
function repeat(g: GraphBuilder, view: View, fn: Reduction, count: number): View {
  if (fn === "maximum" || fn === "minimum" || view.dtype === "bool") return view;
  if (fn === "sum" && view.dtype === "float32") return scaleBy(view, count);
  const factor = { kind: "splat", value: count, shape: view.shape, dtype: view.dtype } as const;
  if (fn === "sum") return pointwise(g, [view, factor], view.dtype, (names) => g.node("Mul", names));
  invariant(view.dtype === "float32", "a product over repeated integers is not traced by any layer");
  return pointwise(g, [view, factor], view.dtype, (names) => g.node("Pow", names));
}
