// Recognises max pooling. It arrives as the maximum over windows, and its gradient as what a general maximum's gradient
// is: the cotangent, divided by the number of largest elements, selected where an element equals the maximum, and summed
// back over the windows. The lowering knows cheaper ways than these six passes over an array of all windows.

import type { Computation, Instruction, Operand, OperationOf } from "../ir.ts";
import { isLiteral, newValue } from "../ir.ts";
import { isCompared } from "../lower/poolingSize.ts";
import { type Context, type Rule, rewrite } from "./rewrite.ts";

/** Windows over the last axes of an array with at least a channel axis, up to three, as MaxPool takes them. */
const isPoolable = (shape: readonly number[], { window }: OperationOf<"windows">): boolean =>
  window.length >= 1 && window.length <= 3 && shape.length > window.length;

export const recogniseMaxPool: Rule = ({ operation, inputs, outputs }, { definition }) => {
  if (operation.kind !== "reduce" || operation.function !== "maximum") return undefined;
  const source = definition(inputs[0]);
  if (source?.operation.kind !== "windows" || outputs[0]!.dtype !== "float32") return undefined;
  const { window, strides } = source.operation;
  const rank = inputs[0]!.shape.length;
  const windowAxes = window.map((_, i) => rank - window.length + i);
  const image = source.inputs[0]!;
  const overWindows = [...operation.axes].sort((a, b) => a - b).join() === windowAxes.join();
  if (!overWindows || !isPoolable(image.shape, source.operation)) return undefined;
  return [{ operation: { kind: "maxPool", window, strides, withIndices: false }, inputs: [image], outputs }];
};

export const recogniseMaxPoolGradient: Rule = ({ operation, inputs, outputs }, context) => {
  if (operation.kind !== "overlapAdd") return undefined;
  const selection = context.definition(inputs[0]);
  if (selection?.operation.kind !== "select" || !isZero(selection.inputs[1])) return undefined;
  const comparison = context.definition(selection.inputs[0]);
  if (comparison?.operation.kind !== "compare" || comparison.operation.function !== "notEqual")
    return undefined;
  const source = context.definition(comparison.inputs[0]);
  const spread = context.definition(selection.inputs[2]);
  if (source?.operation.kind !== "windows" || spread?.operation.kind !== "broadcast") return undefined;
  const { window, strides } = source.operation;
  // Neither way of lowering the gradient adds up windows that overlap.
  const isDisjoint = window.every((size, i) => size <= strides[i]!);
  const image = source.inputs[0]!;
  const cotangent = withoutTies(context.definition(spread.inputs[0]), context);
  if (cotangent === undefined || !isDisjoint || !isPoolable(image.shape, source.operation)) return undefined;
  return [{ operation: { kind: "maxPoolGradient", window, strides }, inputs: [image, cotangent], outputs }];
};

const isZero = (operand: Operand | undefined): boolean =>
  operand !== undefined && isLiteral(operand) && operand.literal === 0;

/** g of g · (1 / number of largest elements). */
function withoutTies(product: Instruction | undefined, { definition }: Context): Operand | undefined {
  if (product?.operation.kind !== "binary" || product.operation.function !== "multiply") return undefined;
  const isShare = (operand: Operand): boolean => {
    const inverse = definition(operand);
    if (inverse?.operation.kind !== "unary" || inverse.operation.function !== "reciprocal") return false;
    const count = definition(inverse.inputs[0]);
    return count?.operation.kind === "reduce" && definition(count.inputs[0])?.operation.kind === "select";
  };
  const [a, b] = product.inputs as readonly [Operand, Operand];
  if (isShare(b)) return a;
  return isShare(a) ? b : undefined;
}

/**
 * The gradient of maxPool(relu(x)): masks the pooled cotangent where the pooled value is 0, instead of the four or more
 * times larger one that comes out of the unpooling. The largest element of a window passes the relu if any does.
 */
export const maskBeforeUnpooling: Rule = ({ operation, inputs, outputs }, context) => {
  if (operation.kind !== "reluGradient") return undefined;
  const [result, gradient] = inputs as readonly [Operand, Operand];
  const unpooling = context.definition(gradient);
  if (unpooling?.operation.kind !== "maxPoolGradient" || unpooling.inputs[0] !== result) return undefined;
  const pooling = context.earlier.find(
    ({ operation: each, inputs: [image] }) => each.kind === "maxPool" && image === result,
  );
  if (pooling === undefined) return undefined;
  const pooled = pooling.outputs[0]!;
  const masked = newValue(pooled);
  return [
    { operation: { kind: "reluGradient" }, inputs: [pooled, unpooling.inputs[1]!], outputs: [masked] },
    { operation: unpooling.operation, inputs: [result, masked], outputs },
  ];
};

/** Marks the poolings whose gradient will ask for the indices of the largest elements. */
export function markIndices(computation: Computation): Computation {
  const asked = new Set(
    computation.instructions
      .filter(
        ({ operation, inputs }) =>
          operation.kind === "maxPoolGradient" && !isCompared(inputs[0]!.shape, operation),
      )
      .map(({ inputs }) => inputs[0]),
  );
  return rewrite(computation, ({ operation, inputs, outputs }) =>
    operation.kind === "maxPool" && asked.has(inputs[0])
      ? [{ operation: { ...operation, withIndices: true }, inputs, outputs }]
      : undefined,
  );
}
