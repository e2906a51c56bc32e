// Matrix products: sum(x · y) over the last dimension, the others broadcasting. Dimensions that both operands have are
// batch dimensions; those of one operand only are its rows. The product is deferred: which operand comes first, and so
// whether [rows, columns] or [columns, rows] lies in memory, is chosen by its first reader. Transposed operands cost
// nothing (Gemm, FusedMatMul), and a vector added to a product becomes Gemm's third operand.

import { type DType, elementCount } from "../host.ts";
import { applyScale, arrange, materialize, physicalOrder } from "../layout/arrange.ts";
import type { AddBias, Axis, BufferView, GraphTensor, View } from "../layout/view.ts";
import { Buffer, broadcastShape, newAxis, padRank, range, scaleBy } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { MICROSOFT } from "../onnx/graph.ts";
import { pointwise } from "./pointwise.ts";
import { reduce } from "./reduce.ts";
import { reshape } from "./shape.ts";

/** @param dtype of the operands and the result */
export function dot(g: GraphBuilder, left: View, right: View, dtype: DType): View {
  const outer = broadcastShape([left.shape.slice(0, -1), right.shape.slice(0, -1)]);
  const [x, y] = [left, right].map((view) => withFactorWhereSmall(g, view, elementCount(outer))) as [
    View,
    View,
  ];
  const factor = (view: View): number => (view.kind === "splat" ? 1 : view.scale);
  const unit = (view: View): View => (view.kind === "splat" ? view : { ...view, scale: 1 });
  const scale = factor(x) * factor(y);
  if (scale !== 1) return scaleBy(dot(g, unit(x), unit(y), dtype), scale);
  const depth = x.shape.at(-1)!;
  if (depth === 1 || dtype !== "float32") {
    const product = pointwise(g, [x, y], dtype, (names) => g.node("Mul", names));
    const last = product.shape.length - 1;
    if (depth === 1) return reshape(g, product, product.shape.slice(0, -1));
    return reduce(g, product, "sum", [last]);
  }
  const rank = Math.max(x.shape.length, y.shape.length);
  const withDepth = (view: View): BufferView =>
    padRank(materialize(g, view, [view.shape.length - 1]), rank) as BufferView;
  return product(g, withDepth(x), withDepth(y), dtype);
}

/** A pending factor goes on to the result, unless that is larger and the operand's order of axes is settled. */
function withFactorWhereSmall(g: GraphBuilder, view: View, resultSize: number): View {
  const isCheap = view.kind === "buffer" && !view.buffer.isDeferred && view.buffer.size <= resultSize;
  return isCheap ? applyScale(g, view) : view;
}

/** The dimensions of a product, by what they index. */
interface Dimensions {
  readonly batch: readonly number[];
  /** Of x alone. */
  readonly left: readonly number[];
  /** Of y alone. */
  readonly right: readonly number[];
}

function product(g: GraphBuilder, x: BufferView, y: BufferView, dtype: DType): View {
  const outer = range(x.shape.length - 1);
  const shape = broadcastShape([x.shape.slice(0, -1), y.shape.slice(0, -1)]);
  const has = (view: BufferView, d: number): boolean => view.axes[d] !== undefined;
  const dimensions: Dimensions = {
    batch: outer.filter((d) => has(x, d) && has(y, d)),
    left: outer.filter((d) => has(x, d) && !has(y, d)),
    right: outer.filter((d) => !has(x, d) && has(y, d)),
  };
  const axes: (Axis | undefined)[] = outer.map((d) =>
    has(x, d) || has(y, d) ? newAxis(shape[d]!) : undefined,
  );
  const { batch, left, right } = dimensions;
  const emit = (rightFirst: boolean, bias?: Bias): GraphTensor =>
    rightFirst
      ? emitProduct(g, y, x, { batch, left: right, right: left }, axes, bias)
      : emitProduct(g, x, y, dimensions, axes, bias);
  const compute = (wanted: readonly Axis[]): GraphTensor => {
    const first = wanted.map((axis) => axes.indexOf(axis)).find((d) => !batch.includes(d));
    return emit(first !== undefined && right.includes(first));
  };
  const addBias: AddBias = (along, vector, factor) => {
    const isAlone = (side: readonly number[]): boolean =>
      side.length === 1 && side[0] === axes.indexOf(along);
    if (batch.length > 0) return undefined;
    // Gemm adds a vector to every row, so the vector's axis must come last.
    if (isAlone(right)) return emit(false, { vector: vector(), factor });
    return isAlone(left) ? emit(true, { vector: vector(), factor }) : undefined;
  };
  const buffer = new Buffer({ axes: axes.filter((axis) => axis !== undefined), compute }, addBias);
  return { kind: "buffer", buffer, shape, axes, dtype, scale: 1 };
}

/** Multiplies the product by a number and adds a vector to every row. */
interface Bias {
  readonly vector: string;
  readonly factor: number;
}

/** How to hand an operand to a matrix product. */
interface Plan {
  /** All its dimensions in memory order. */
  readonly order: readonly number[];
  /** Its rows, in that order. */
  readonly rows: readonly number[];
  /** Whether the depth comes before the rows. */
  readonly transposed: boolean;
  /** Elements to be moved first. */
  readonly cost: number;
}

function planOperand(view: BufferView, rows: readonly number[], batch: readonly number[]): Plan {
  const depth = view.shape.length - 1;
  const physical = physicalOrder(view);
  const hasBatchFirst = batch.every((d, i) => physical[i] === d);
  // If data must move, rows and depth keep their order: the other products of this operand then want the same tensor.
  const inner = physical.filter((d) => !batch.includes(d));
  const cost = hasBatchFirst ? 0 : view.buffer.size;
  const order = [...batch, ...inner];
  const ordered = inner.filter((d) => d !== depth);
  if (inner.at(-1) === depth) return { order, rows: ordered, transposed: false, cost };
  if (inner[0] === depth) return { order, rows: ordered, transposed: true, cost };
  return { order: [...batch, ...rows, depth], rows, transposed: false, cost: view.buffer.size };
}

function emitProduct(
  g: GraphBuilder,
  x: BufferView,
  y: BufferView,
  { batch, left, right }: Dimensions,
  axes: readonly (Axis | undefined)[],
  bias: Bias | undefined,
): GraphTensor {
  const depth = x.shape.length - 1;
  x.buffer.resolve([...batch, ...left, depth].map((d) => x.axes[d]!));
  y.buffer.resolve([...batch, ...right, depth].map((d) => y.axes[d]!));
  const inBatch = (view: BufferView): number[] => physicalOrder(view).filter((d) => batch.includes(d));
  const plans = [batch, inBatch(x), inBatch(y)].map((order) => ({
    order,
    x: planOperand(x, left, order),
    y: planOperand(y, right, order),
  }));
  const cost = (plan: (typeof plans)[number]): number => plan.x.cost + plan.y.cost;
  const best = plans.reduce((a, b) => (cost(b) < cost(a) ? b : a));

  const size = (dimensions: readonly number[]): number =>
    dimensions.reduce((product, d) => product * axes[d]!.size, 1);
  const batchSizes = best.order.map((d) => axes[d]!.size);
  const prepare = (view: BufferView, plan: Plan): string => {
    const name = arrange(g, view, plan.order);
    if (plan.rows.length === 1) return name;
    const rows = size(plan.rows);
    const k = view.shape[depth]!;
    return g.node("Reshape", [
      name,
      g.integers([...batchSizes, ...(plan.transposed ? [k, rows] : [rows, k])]),
    ]);
  };
  const operands = [prepare(x, best.x), prepare(y, best.y)];
  const name = multiply(g, operands, best.x.transposed, !best.y.transposed, batch.length > 0, bias);
  const order = [...best.order, ...best.x.rows, ...best.y.rows];
  const isMatrix = best.x.rows.length === 1 && best.y.rows.length === 1;
  const sizes = order.map((d) => axes[d]!.size);
  return {
    name: isMatrix ? name : g.node("Reshape", [name, g.integers(sizes)]),
    axes: order.map((d) => axes[d]!),
  };
}

/** The cheapest operator for op(a) · op(b) (+ bias), where op transposes or not. */
function multiply(
  g: GraphBuilder,
  operands: readonly string[],
  transA: boolean,
  transB: boolean,
  batched: boolean,
  bias: Bias | undefined,
): string {
  const transposes = { transA: Number(transA), transB: Number(transB) };
  if (bias !== undefined) {
    const alpha = bias.factor === 1 ? {} : { alpha: { float: bias.factor } };
    return g.node("Gemm", [...operands, bias.vector], { ...transposes, ...alpha });
  }
  if (!transA && !transB) return g.node("MatMul", operands);
  return batched
    ? g.node("FusedMatMul", operands, transposes, MICROSOFT)
    : g.node("Gemm", operands, transposes);
}
