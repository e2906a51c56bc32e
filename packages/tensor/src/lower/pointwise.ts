// Operations that work element by element on operands of any layout. The result keeps the layout of its largest
// operand; smaller ones are brought to it. Everything here is independent of which function is computed.

import type { DType } from "../host.ts";
import { applyScale, arrange, physicalOrder, resolve } from "../layout/arrange.ts";
import type { BufferView, View } from "../layout/view.ts";
import { Buffer, broadcastShape, padRank, range, viewOf } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";

const isAscending = (order: readonly number[]): boolean =>
  order.every((d, i) => i === 0 || order[i - 1]! < d);

/**
 * Applies `emit` (names of tensors that broadcast -> name of the result) to operands of any layout.
 * @param dtype the result's element type
 */
export function pointwise(
  g: GraphBuilder,
  operands: readonly View[],
  dtype: DType,
  emit: (names: readonly string[]) => string,
): View {
  const shape = broadcastShape(operands.map((operand) => operand.shape));
  const views = operands.map((operand) => padRank(applyScale(g, operand), shape.length));
  const buffers = views.filter((view) => view.kind === "buffer");
  const nameOf = (view: View, arranged: (view: BufferView) => string): string =>
    view.kind === "splat" ? g.scalar(view.value, view.dtype) : arranged(view);

  const first = buffers[0];
  if (first === undefined) return viewOf(emit(views.map((view) => nameOf(view, () => ""))), [], shape, dtype);
  if (buffers.every((view) => isSameLayout(view, first))) {
    const { name, axes } = resolve(first);
    const result = emit(views.map((view) => nameOf(view, () => name)));
    return { ...first, buffer: new Buffer({ name: result, axes }), shape, dtype };
  }
  const order = commonOrder(buffers, shape.length);
  const result = emit(views.map((view) => nameOf(view, (buffer) => arrange(g, buffer, order, "strip"))));
  return viewOf(result, order, shape, dtype);
}

const isSameLayout = (a: BufferView, b: BufferView): boolean =>
  a.buffer === b.buffer && a.axes.every((axis, d) => axis === b.axes[d]);

/**
 * The order of dimensions in which to compute: that of the largest operand whose layout is fixed, so that only smaller
 * ones are transposed; the logical order where a second one of that size already has it.
 */
function commonOrder(buffers: readonly BufferView[], rank: number): number[] {
  const logical = range(rank).filter((d) => buffers.some((view) => view.axes[d] !== undefined));
  const bySize = [...buffers].sort((a, b) => b.buffer.size - a.buffer.size);
  const largest = bySize[0]!;
  const fixed = bySize.filter((view) => !view.buffer.isDeferred);
  const dominant = fixed[0] ?? largest;
  const physical = physicalOrder(dominant);
  const isFull = physical.length === logical.length && dominant.buffer.size === largest.buffer.size;
  if (isAscending(physical) || !isFull) return logical;
  const rival = fixed.find(
    (view) =>
      view !== dominant && view.buffer.size === largest.buffer.size && isAscending(physicalOrder(view)),
  );
  return rival === undefined ? physical : logical;
}

/** Applies a function of one operand without touching its layout. */
export function mapView(
  g: GraphBuilder,
  view: View,
  dtype: DType,
  emit: (name: string) => string,
): BufferView {
  const applied = applyScale(g, view);
  if (applied.kind === "splat")
    return viewOf(emit(g.scalar(applied.value, applied.dtype)), [], view.shape, dtype);
  const { name, axes } = resolve(applied);
  return { ...applied, buffer: new Buffer({ name: emit(name), axes }), dtype };
}
