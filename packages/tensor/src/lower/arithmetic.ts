// Arithmetic on floats, where factors are free: a product with a number only scales a view, and a sum of scaled views
// is computed so that at most one multiplication is left, on the smaller operand. The rest of the element-wise
// operations is in elementwise.ts.

import type { BinaryFunction } from "../ir.ts";
import { arrange } from "../layout/arrange.ts";
import type { BufferView, View } from "../layout/view.ts";
import { broadcastShape, padRank, range, scaleBy, splat, viewOf, withoutScale } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { pointwise } from "./pointwise.ts";

type Arithmetic = Extract<BinaryFunction, "add" | "subtract" | "multiply" | "divide">;

const emitter =
  (g: GraphBuilder, operator: string) =>
  (names: readonly string[]): string =>
    g.node(operator, names);

/** a ∘ b on float32 views that are not both splats. */
export function arithmetic(g: GraphBuilder, fn: Arithmetic, a: View, b: View): View {
  switch (fn) {
    case "add":
      return sum(g, a, b, 1);
    case "subtract":
      return sum(g, a, b, -1);
    case "multiply":
      return multiply(g, a, b);
    case "divide":
      return divide(g, a, b);
  }
  return fn satisfies never;
}

function multiply(g: GraphBuilder, a: View, b: View): View {
  if (a.kind === "splat") return b.kind === "splat" ? scaleBy(b, a.value) : multiply(g, b, a);
  // A product with zero or an infinity cannot wait: 0 · ∞ must be seen where it happens.
  if (b.kind === "splat" && Number.isFinite(b.value) && b.value !== 0)
    return scaleBy(expandTo(a, broadcastShape([a.shape, b.shape])), b.value);
  if (b.kind === "splat") return pointwise(g, [a, b], "float32", emitter(g, "Mul"));
  const product = pointwise(g, [withoutScale(a), withoutScale(b)], "float32", emitter(g, "Mul"));
  return scaleBy(product, a.scale * b.scale);
}

function divide(g: GraphBuilder, a: View, b: View): View {
  const inverse = b.kind === "splat" ? 1 / b.value : 1 / b.scale;
  if (b.kind === "splat") return multiply(g, a, { ...b, value: inverse });
  if (a.kind === "splat")
    return pointwise(g, [{ ...a, value: a.value * inverse }, withoutScale(b)], "float32", emitter(g, "Div"));
  const quotient = pointwise(g, [withoutScale(a), withoutScale(b)], "float32", emitter(g, "Div"));
  return scaleBy(quotient, a.scale * inverse);
}

/** The view with its unit dimensions repeated, and new leading ones, up to `shape`. */
const expandTo = (view: View, shape: readonly number[]): View => ({ ...padRank(view, shape.length), shape });

/** a + sign · b */
function sum(g: GraphBuilder, a: View, b: View, sign: 1 | -1): View {
  const add = (x: View, y: View): View => pointwise(g, [x, y], "float32", emitter(g, "Add"));
  const subtract = (x: View, y: View): View => pointwise(g, [x, y], "float32", emitter(g, "Sub"));
  if (a.kind === "splat") {
    const factor = b.kind === "splat" ? sign : sign * b.scale;
    if (b.kind === "buffer" && factor === -1) return subtract(a, withoutScale(b));
    return add(a, scaleBy(b, sign));
  }
  if (b.kind === "splat") {
    if (a.scale === -1) return subtract(splat(sign * b.value, b.dtype, b.shape), withoutScale(a));
    return add(a, scaleBy(b, sign));
  }
  const total = a.scale + sign * b.scale;
  if (isSameArray(a, b) && total !== 0) return scaleBy(withoutScale(a), total);
  const biased = sign === 1 ? (addBias(g, a, b) ?? addBias(g, b, a)) : undefined;
  if (biased !== undefined) return biased;

  const [x, y] = [withoutScale(a), withoutScale(b)];
  const [sx, sy] = [a.scale, sign * b.scale];
  if (sx === sy) return scaleBy(add(x, y), sx);
  if (sx === -sy) return scaleBy(subtract(x, y), sx);
  // One factor remains inside; let it be that of the smaller operand and move the other one out.
  if (sx === 1 || (sy !== 1 && x.buffer.size >= y.buffer.size)) {
    const ratio = sy / sx;
    return scaleBy(ratio < 0 ? subtract(x, scaleBy(y, -ratio)) : add(x, scaleBy(y, ratio)), sx);
  }
  const ratio = sx / sy;
  return scaleBy(ratio < 0 ? subtract(y, scaleBy(x, -ratio)) : add(y, scaleBy(x, ratio)), sy);
}

/** Whether two views show the same elements, up to their factors. */
const isSameArray = (a: BufferView, b: BufferView): boolean =>
  a.buffer === b.buffer && a.shape.join() === b.shape.join() && a.axes.every((axis, d) => axis === b.axes[d]);

/** base + vector as one operator, where the base is a product or convolution that nobody else reads. */
function addBias(g: GraphBuilder, base: BufferView, vector: BufferView): View | undefined {
  const rank = base.shape.length;
  if (base.buffer.addBias === undefined || vector.shape.length > rank) return undefined;
  if (vector.scale !== 1) return undefined;
  const bias = padRank(vector, rank) as BufferView;
  const real = range(rank).filter((d) => bias.axes[d] !== undefined);
  const along = base.axes[real[0] ?? -1];
  if (real.length !== 1 || along === undefined) return undefined;
  if (range(rank).some((d) => base.shape[d] !== bias.shape[d] && bias.shape[d] !== 1)) return undefined;
  const tensor = base.buffer.addBias(along, () => arrange(g, bias, real), base.scale);
  if (tensor === undefined) return undefined;
  const order = tensor.axes.map((axis) => base.axes.indexOf(axis));
  return viewOf(tensor.name, order, base.shape, base.dtype);
}
