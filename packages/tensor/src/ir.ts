// The compiler's intermediate representation: a straight-line list of typed operations on immutable arrays, in the
// order they were traced. Every pass reads and returns this; the front end (jax-js) and the back end (ONNX) are kept
// apart by it. Binary operations broadcast as NumPy's do; their operands have one element type (casts are explicit).

import { unreachable } from "@atoll/core";
import type { DType, HostArray, TensorType } from "./host.ts";
import { formatType } from "./host.ts";

/** The result of an operation, an input or a constant. Compared by identity. */
export interface Value extends TensorType {
  readonly id: number;
}

/** A scalar known at compile time; booleans are 0 and 1. */
export interface Literal extends TensorType {
  readonly literal: number;
}

export type Operand = Value | Literal;

export const isLiteral = (operand: Operand): operand is Literal => "literal" in operand;

export type UnaryFunction =
  | "negate"
  | "reciprocal"
  | "floor"
  | "ceil"
  | "exp"
  | "log"
  | "sqrt"
  | "sin"
  | "cos"
  | "asin"
  | "atan"
  | "erf"
  | "erfc"
  | "relu";

export type BinaryFunction =
  | "add"
  | "subtract"
  | "multiply"
  | "divide"
  | "integerDivide"
  | "remainder"
  | "minimum"
  | "maximum"
  | "and"
  | "or"
  | "xor"
  | "shiftLeft"
  | "shiftRight";

export type Comparison = "less" | "lessOrEqual" | "equal" | "notEqual";
export type Reduction = "sum" | "product" | "maximum" | "minimum";
export type Pair = readonly [before: number, after: number];

/** A pooling window: sizes and strides over the trailing axes, one each. No padding. */
export interface Window {
  readonly window: readonly number[];
  readonly strides: readonly number[];
}

/** A convolution of [batch, channel, ...space] with [outChannel, channel, ...window], as lax.conv_general_dilated. */
export interface Convolution {
  readonly strides: readonly number[];
  readonly padding: readonly Pair[];
  readonly inputDilation: readonly number[];
  readonly kernelDilation: readonly number[];
  /** How many leading axes of both operands are mapped over (jax's vmap). */
  readonly mappedAxes: number;
}

/** Where indices apply: the axes they index, and where the axes of the indices go in the result. */
export interface Indexing {
  readonly axes: readonly number[];
  readonly outputAxis: number;
}

export type Operation =
  | { readonly kind: "unary"; readonly function: UnaryFunction }
  | { readonly kind: "binary"; readonly function: BinaryFunction }
  | { readonly kind: "compare"; readonly function: Comparison }
  /** where(condition, a, b). */
  | { readonly kind: "select" }
  | { readonly kind: "cast"; readonly dtype: DType }
  | { readonly kind: "reduce"; readonly function: Reduction; readonly axes: readonly number[] }
  /** sum(x · y) over the last axis; the other axes broadcast. */
  | { readonly kind: "dot" }
  | ({ readonly kind: "convolution" } & Convolution)
  /** [..., size] -> [..., count, window]: all windows, as trailing axes. */
  | ({ readonly kind: "windows" } & Window)
  /** The adjoint of `windows`: sums the windows back into an array of `shape`. */
  | ({ readonly kind: "overlapAdd"; readonly shape: readonly number[] } & Window)
  /** Maximum over each window of the trailing axes; `withIndices` if a gradient that needs them follows. */
  | ({ readonly kind: "maxPool"; readonly withIndices: boolean } & Window)
  /** (x, g) -> g at the (first) largest element of each window of x, 0 elsewhere. */
  | ({ readonly kind: "maxPoolGradient" } & Window)
  /** (y, g) -> g where y > 0, else 0; y is the relu's own result. */
  | { readonly kind: "reluGradient" }
  | { readonly kind: "concatenate"; readonly axis: number }
  | { readonly kind: "slice"; readonly start: readonly number[]; readonly end: readonly number[] }
  | { readonly kind: "pad"; readonly width: readonly Pair[] }
  | { readonly kind: "reverse"; readonly axes: readonly number[] }
  | { readonly kind: "transpose"; readonly permutation: readonly number[] }
  | { readonly kind: "reshape"; readonly shape: readonly number[] }
  /** Inserts `axes` of the result's shape; the operand's axes keep their order. */
  | { readonly kind: "broadcast"; readonly shape: readonly number[]; readonly axes: readonly number[] }
  | ({ readonly kind: "gather" } & Indexing)
  /** (updates, ...indices) -> zeros of `shape` with the updates added or written. */
  | ({ readonly kind: "scatter"; readonly shape: readonly number[]; readonly add: boolean } & Indexing)
  /** Threefry words of the key (k0, k1) at the counters 0 … n − 1; `word` picks one of the two or their xor. */
  | { readonly kind: "randomBits"; readonly shape: readonly number[]; readonly word: 0 | 1 | "xor" }
  /** A registered kernel: (…arguments) -> (result, …saved). */
  | { readonly kind: "fused"; readonly kernel: string }
  /** Its gradient: (…arguments, result, …saved, cotangent) -> one cotangent an argument. */
  | { readonly kind: "fusedGradient"; readonly kernel: string };

export type OperationKind = Operation["kind"];

/** The operation of one kind. */
export type OperationOf<K extends OperationKind> = Extract<Operation, { readonly kind: K }>;

export interface Instruction {
  readonly operation: Operation;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Value[];
}

/** A traced function. Constants are arrays that the function closed over. */
export interface Computation {
  readonly inputs: readonly Value[];
  readonly constants: ReadonlyMap<Value, HostArray>;
  readonly instructions: readonly Instruction[];
  readonly outputs: readonly Operand[];
}

let nextId = 0;

export const newValue = ({ shape, dtype }: TensorType): Value => ({ id: nextId++, shape, dtype });

/** A scalar literal, rounded to its element type. */
export const literal = (value: number, dtype: DType): Literal => ({
  literal: roundTo(value, dtype),
  dtype,
  shape: [],
});

/** The nearest number that an element type can hold; integers wrap. */
export function roundTo(value: number, dtype: DType): number {
  switch (dtype) {
    case "float32":
      return Math.fround(value);
    case "int32":
      return Math.trunc(value) | 0;
    case "uint32":
      return Math.trunc(value) >>> 0;
    case "bool":
      return value ? 1 : 0;
    default:
      return unreachable(dtype);
  }
}

/** Which instruction computes each value. */
export function definitions(computation: Computation): ReadonlyMap<Operand, Instruction> {
  const found = new Map<Operand, Instruction>();
  for (const instruction of computation.instructions)
    for (const output of instruction.outputs) found.set(output, instruction);
  return found;
}

/** How many times each operand is read, outputs included. */
export function countUses({
  instructions,
  outputs,
}: Pick<Computation, "instructions" | "outputs">): ReadonlyMap<Operand, number> {
  const uses = new Map<Operand, number>();
  for (const operand of [...instructions.flatMap(({ inputs }) => inputs), ...outputs])
    uses.set(operand, (uses.get(operand) ?? 0) + 1);
  return uses;
}

/** The computation as text, one instruction a line, for people and for golden tests. */
export function formatComputation(computation: Computation): string {
  const names = new Map<Operand, string>();
  const nameOf = (operand: Operand): string => {
    if (isLiteral(operand)) return `${operand.literal}`;
    if (!names.has(operand)) names.set(operand, `%${names.size}`);
    return names.get(operand)!;
  };
  const typed = (value: Value): string => `${nameOf(value)}: ${formatType(value)}`;
  const lines = [`inputs ${computation.inputs.map(typed).join(", ")}`];
  for (const value of computation.constants.keys()) lines.push(`constant ${typed(value)}`);
  for (const { operation, inputs, outputs } of computation.instructions) {
    const operands = inputs.map(nameOf).join(", ");
    lines.push(`${outputs.map(typed).join(", ")} = ${formatOperation(operation)} ${operands}`.trimEnd());
  }
  lines.push(`outputs ${computation.outputs.map(nameOf).join(", ")}`);
  return lines.join("\n");
}

function formatOperation(operation: Operation): string {
  const parameters = Object.entries(operation)
    .filter(([name]) => name !== "kind" && name !== "function")
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const name = "function" in operation ? `${operation.kind}.${operation.function}` : operation.kind;
  return parameters.length === 0 ? name : `${name} {${parameters.join(", ")}}`;
}
