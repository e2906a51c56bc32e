// Element-wise operations: which ONNX operator computes which function, and what is known already at compile time.
// Results on splats (one number everywhere) are computed here, so that no operator ever sees only constants.

import { invariant, unreachable } from "@atoll/core";
import type { DType } from "../host.ts";
import type { BinaryFunction, Comparison, UnaryFunction } from "../ir.ts";
import { roundTo } from "../ir.ts";
import type { View } from "../layout/view.ts";
import { broadcastShape, padRank, scaleBy, splat, withoutScale } from "../layout/view.ts";
import { ELEMENT_TYPE } from "../onnx/encode.ts";
import type { Attributes, GraphBuilder } from "../onnx/graph.ts";
import { arithmetic } from "./arithmetic.ts";
import { mapView, pointwise } from "./pointwise.ts";

const UNARY_OPERATOR: Readonly<Record<Exclude<UnaryFunction, "negate" | "erfc">, string>> = {
  reciprocal: "Reciprocal",
  floor: "Floor",
  ceil: "Ceil",
  exp: "Exp",
  log: "Log",
  sqrt: "Sqrt",
  sin: "Sin",
  cos: "Cos",
  asin: "Asin",
  atan: "Atan",
  erf: "Erf",
  relu: "Relu",
};

export function unary(g: GraphBuilder, fn: UnaryFunction, view: View): View {
  const isFloat = view.dtype === "float32";
  if (!isFloat && (fn === "floor" || fn === "ceil")) return view;
  if (fn === "negate") return negate(g, view);
  if (fn === "reciprocal" && view.kind === "buffer") {
    const inverse = mapView(g, withoutScale(view), view.dtype, (name) => g.node("Reciprocal", [name]));
    return scaleBy(inverse, 1 / view.scale);
  }
  // ONNX has no erfc; 1 − erf(x) is off by up to 10⁻⁷, which matters only where erfc itself is as small.
  return mapView(g, view, view.dtype, (name) =>
    fn === "erfc"
      ? g.node("Sub", [g.scalar(1, "float32"), g.node("Erf", [name])])
      : g.node(UNARY_OPERATOR[fn], [name]),
  );
}

/** A factor of −1 for floats. ONNX has no negation of unsigned integers; 0 − x wraps as it should. */
function negate(g: GraphBuilder, view: View): View {
  if (view.kind === "splat") return { ...view, value: roundTo(-view.value, view.dtype) };
  if (view.dtype === "float32") return scaleBy(view, -1);
  return mapView(g, view, view.dtype, (name) => g.node("Sub", [g.scalar(0, view.dtype), name]));
}

const BINARY_OPERATOR: Readonly<
  Record<BinaryFunction, readonly [operator: string, attributes?: Attributes]>
> = {
  add: ["Add"],
  subtract: ["Sub"],
  multiply: ["Mul"],
  divide: ["Div"],
  integerDivide: ["Div"],
  remainder: ["Mod", { fmod: 1 }],
  minimum: ["Min"],
  maximum: ["Max"],
  and: ["BitwiseAnd"],
  or: ["BitwiseOr"],
  xor: ["BitwiseXor"],
  shiftLeft: ["BitShift"],
  shiftRight: ["BitShift"],
};

/** Booleans are the numbers 0 and 1: sums and maxima are "or", products and minima "and". */
const BOOLEAN_OPERATOR: Readonly<Partial<Record<BinaryFunction, string>>> = {
  add: "Or",
  maximum: "Or",
  or: "Or",
  multiply: "And",
  minimum: "And",
  and: "And",
  xor: "Xor",
};

export function binary(g: GraphBuilder, fn: BinaryFunction, a: View, b: View): View {
  const { dtype } = a;
  const folded = a.kind === "splat" && b.kind === "splat" ? fold(fn, a.value, b.value, dtype) : undefined;
  if (folded !== undefined) return splat(folded, dtype, broadcastShape([a.shape, b.shape]));
  if (dtype === "float32") {
    if (fn === "add" || fn === "subtract" || fn === "multiply" || fn === "divide")
      return arithmetic(g, fn, a, b);
    if (fn === "integerDivide") return truncatedDivision(g, a, b);
  }
  if (fn === "shiftLeft" || fn === "shiftRight") return shift(g, fn, a, b);
  const [operator, attributes] = BINARY_OPERATOR[fn];
  const chosen = dtype === "bool" ? BOOLEAN_OPERATOR[fn] : operator;
  invariant(chosen !== undefined, `${fn} on booleans is not traced by any layer`);
  return pointwise(g, [a, b], dtype, (names) => g.node(chosen, names, dtype === "bool" ? {} : attributes));
}

/** a / b rounded towards zero. */
const truncatedDivision = (g: GraphBuilder, a: View, b: View): View =>
  pointwise(g, [a, b], "float32", (names) => {
    const quotient = g.node("Div", names);
    return g.node("Mul", [g.node("Sign", [quotient]), g.node("Floor", [g.node("Abs", [quotient])])]);
  });

/** ONNX shifts only unsigned integers, which is how jax-js shifts signed ones too: zeros come in from the left. */
function shift(g: GraphBuilder, fn: "shiftLeft" | "shiftRight", a: View, b: View): View {
  const operands = [cast(g, a, "uint32"), cast(g, b, "uint32")];
  const direction = fn === "shiftLeft" ? "LEFT" : "RIGHT";
  const shifted = pointwise(g, operands, "uint32", (names) => g.node("BitShift", names, { direction }));
  return cast(g, shifted, a.dtype);
}

/** The functions whose result on two numbers is worth knowing at compile time; others are left to the runtime. */
function fold(fn: BinaryFunction, a: number, b: number, dtype: DType): number | undefined {
  switch (fn) {
    case "add":
      return dtype === "bool" ? Math.max(a, b) : roundTo(a + b, dtype);
    case "subtract":
      return roundTo(a - b, dtype);
    case "multiply":
      return dtype === "float32" ? roundTo(a * b, dtype) : roundTo(Math.imul(a, b), dtype);
    case "divide":
      return dtype === "float32" ? roundTo(a / b, dtype) : undefined;
    case "minimum":
      return Math.min(a, b);
    case "maximum":
      return Math.max(a, b);
    case "and":
      return roundTo(a & b, dtype);
    case "or":
      return roundTo(a | b, dtype);
    case "xor":
      return roundTo(a ^ b, dtype);
    case "integerDivide":
    case "remainder":
    case "shiftLeft":
    case "shiftRight":
      return undefined;
    default:
      return unreachable(fn);
  }
}

export function cast(g: GraphBuilder, view: View, dtype: DType): View {
  if (view.dtype === dtype) return view;
  if (view.kind === "splat") return splat(roundTo(view.value, dtype), dtype, view.shape);
  return mapView(g, view, dtype, (name) => g.node("Cast", [name], { to: ELEMENT_TYPE[dtype] }));
}

const COMPARISON_OPERATOR: Readonly<Record<Comparison, string>> = {
  less: "Less",
  lessOrEqual: "LessOrEqual",
  equal: "Equal",
  notEqual: "Equal",
};

export function compare(g: GraphBuilder, fn: Comparison, a: View, b: View): View {
  if (a.kind === "splat" && b.kind === "splat")
    return splat(Number(holds(fn, a.value, b.value)), "bool", broadcastShape([a.shape, b.shape]));
  const numbers = [a, b].map((view) => (view.dtype === "bool" ? cast(g, view, "int32") : view));
  return pointwise(g, numbers, "bool", (names) => {
    const result = g.node(COMPARISON_OPERATOR[fn], names);
    return fn === "notEqual" ? g.node("Not", [result]) : result;
  });
}

function holds(fn: Comparison, a: number, b: number): boolean {
  switch (fn) {
    case "less":
      return a < b;
    case "lessOrEqual":
      return a <= b;
    case "equal":
      return a === b;
    case "notEqual":
      return a !== b;
    default:
      return unreachable(fn);
  }
}

/**
 * where(condition, a, b). A choice between a finite number and zero is the condition itself, scaled; a small condition
 * that masks with −∞ is added, which the runtime does four times faster than it selects (NaN stays NaN under the mask).
 */
export function select(g: GraphBuilder, condition: View, a: View, b: View): View {
  const { dtype } = a;
  const shape = broadcastShape([condition.shape, a.shape, b.shape]);
  if (condition.kind === "splat") return { ...padRank(condition.value ? a : b, shape.length), shape };
  const isFloat = dtype === "float32";
  if (isFloat && a.kind === "splat" && b.kind === "splat") {
    if (b.value === 0 && Number.isFinite(a.value)) return scaleBy(cast(g, condition, dtype), a.value);
    if (a.value === 0 && Number.isFinite(b.value)) return scaleBy(cast(g, not(g, condition), dtype), b.value);
  }
  if (isFloat && a.kind === "buffer" && b.kind === "splat" && b.value === Number.NEGATIVE_INFINITY)
    if (condition.buffer.size * 4 <= a.buffer.size) {
      const mask = pointwise(g, [condition, splat(0, dtype), b], dtype, (names) => g.node("Where", names));
      return arithmetic(g, "add", a, mask);
    }
  if (isFloat || dtype === "int32")
    return pointwise(g, [condition, a, b], dtype, (names) => g.node("Where", names));
  // The runtime selects among float32 and int32 only; the other types fit into the latter and come back unchanged.
  return cast(g, select(g, condition, cast(g, a, "int32"), cast(g, b, "int32")), dtype);
}

export const not = (g: GraphBuilder, condition: View): View =>
  condition.kind === "splat"
    ? splat(1 - condition.value, "bool", condition.shape)
    : mapView(g, condition, "bool", (name) => g.node("Not", [name]));

/**
 * Keeps the gradient where the relu's own result is positive. The mask is one pass, 3·10³⁸ y clipped to [0, 1]: as a
 * comparison and a cast it would be two, as a selection four.
 */
export function reluGradient(g: GraphBuilder, result: View, gradient: View): View {
  if (result.kind === "splat") return result.value > 0 ? gradient : scaleBy(gradient, 0);
  const isOn = mapView(g, result, result.dtype, (name) =>
    g.node("HardSigmoid", [name], { alpha: { float: 3e38 }, beta: { float: 0 } }),
  );
  return arithmetic(g, "multiply", gradient, isOn);
}
