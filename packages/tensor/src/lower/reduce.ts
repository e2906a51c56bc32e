// Reductions. A dimension that only repeats its data is not reduced by the graph: a sum over it is a factor.

import { invariant } from "@atoll/core";
import type { DType } from "../host.ts";
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

/** Reduces the axes behind `real`. */
function reduceAxes(g: GraphBuilder, view: BufferView, fn: Reduction, real: readonly number[]): BufferView {
  if (real.length === 0) return view;
  const tensor = resolve(view);
  const gone = new Set(real.map((d) => view.axes[d]!));
  const axes = g.integers(positionsOf(view, real));
  const name = throughInt32(g, tensor.name, view.dtype, fn, (source) =>
    g.node(OPERATOR[fn], [source, axes], { keepdims: 0 }),
  );
  return { ...view, buffer: new Buffer({ name, axes: tensor.axes.filter((axis) => !gone.has(axis)) }) };
}

/** The operators reduce no booleans and no unsigned integers: those go as int32, shifted by 2³¹ where order matters. */
function throughInt32(
  g: GraphBuilder,
  name: string,
  dtype: DType,
  fn: Reduction,
  emit: (source: string) => string,
): string {
  if (dtype === "float32" || dtype === "int32") return emit(name);
  const isOrdered = dtype === "uint32" && (fn === "maximum" || fn === "minimum");
  const shift = (x: string): string => (isOrdered ? g.node("Add", [x, g.scalar(2 ** 31, dtype)]) : x);
  const result = emit(g.node("Cast", [shift(name)], { to: ELEMENT_TYPE.int32 }));
  return shift(g.node("Cast", [result], { to: ELEMENT_TYPE[dtype] }));
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
