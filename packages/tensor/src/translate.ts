// Translates one equation of a Jaxpr into an instruction of our IR: other names, other parameters, explicit casts.
// Parameters as in jax-js 0.1.25, `Primitive` and `PrimitiveParamsImpl`.

import { ConfigError } from "@atoll/core";
import type { DType } from "./host.ts";
import type { BinaryFunction, Comparison, Operation, Pair, Reduction, UnaryFunction } from "./ir.ts";
import type { Equation } from "./jaxpr.ts";

const UNARY: ReadonlyMap<string, UnaryFunction> = new Map([
  ["neg", "negate"],
  ["reciprocal", "reciprocal"],
  ["floor", "floor"],
  ["ceil", "ceil"],
  ["exp", "exp"],
  ["log", "log"],
  ["sqrt", "sqrt"],
  ["sin", "sin"],
  ["cos", "cos"],
  ["asin", "asin"],
  ["atan", "atan"],
  ["erf", "erf"],
  ["erfc", "erfc"],
]);

const BINARY: ReadonlyMap<string, BinaryFunction> = new Map([
  ["add", "add"],
  ["mul", "multiply"],
  ["idiv", "integerDivide"],
  ["mod", "remainder"],
  ["min", "minimum"],
  ["max", "maximum"],
]);

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  less: "less",
  less_equal: "lessOrEqual",
  equal: "equal",
  not_equal: "notEqual",
};

const REDUCTIONS: Readonly<Record<string, Reduction>> = {
  Add: "sum",
  Mul: "product",
  Max: "maximum",
  Min: "minimum",
};

/** A remedy for a primitive that has no lowering, where there is one. */
const REMEDIES: Readonly<Record<string, string>> = {
  bitcast: "convert with cast(), e.g. an integer in [0, 2^24) to a float",
  sort: "use argmax() or a comparison, or sort on the host",
  argsort: "use argmax() or a comparison, or sort on the host",
  jit: "make the nested function part of the traced one",
};

/**
 * The operation of an equation.
 * @throws ConfigError that names the primitive, if ONNX has no lowering for it
 */
export function operationOf(equation: Equation): Operation {
  const { primitive, params } = equation;
  const unary = UNARY.get(primitive);
  if (unary !== undefined) return { kind: "unary", function: unary };
  const binary = BINARY.get(primitive);
  if (binary !== undefined) return { kind: "binary", function: binary };
  const operation = parametrised(equation) ?? movement(primitive, params);
  if (operation === undefined) {
    const remedy = REMEDIES[primitive] ?? "rewrite the function without it";
    throw new ConfigError(
      `The onnx backend cannot lower the jax-js primitive "${primitive}": ${remedy}, or use the wasm backend.`,
    );
  }
  return operation;
}

type Parameters = Readonly<Record<string, unknown>>;

const sizes = (params: Parameters, name: string): readonly number[] => params[name] as readonly number[];

/** Operations that compute. */
function parametrised({ primitive, params, inputs }: Equation): Operation | undefined {
  switch (primitive) {
    case "bit_combine":
      return { kind: "binary", function: params.op as "and" | "or" | "xor" };
    case "bit_shift":
      return { kind: "binary", function: params.op === "shl" ? "shiftLeft" : "shiftRight" };
    case "compare":
      return { kind: "compare", function: COMPARISONS[params.op as string]! };
    case "where":
      return { kind: "select" };
    case "cast":
      return { kind: "cast", dtype: params.dtype as DType };
    case "bitcast":
      // Between the two 32-bit integers a bit cast is a cast that wraps; to and from floats ONNX has none.
      return [params.dtype, inputs[0]!.aval.dtype].includes("float32")
        ? undefined
        : { kind: "cast", dtype: params.dtype as DType };
    case "reduce":
      return { kind: "reduce", function: REDUCTIONS[params.op as string]!, axes: sizes(params, "axis") };
    case "dot":
      return { kind: "dot" };
    case "conv":
      return {
        kind: "convolution",
        strides: sizes(params, "strides"),
        padding: params.padding as readonly Pair[],
        inputDilation: sizes(params, "lhsDilation"),
        kernelDilation: sizes(params, "rhsDilation"),
        mappedAxes: params.vmapDims as number,
      };
    case "random_bits":
      return { kind: "randomBits", shape: sizes(params, "shape"), word: params.mode as 0 | 1 | "xor" };
    default:
      return undefined;
  }
}

/** Operations that move or repeat elements. */
function movement(primitive: string, params: Parameters): Operation | undefined {
  switch (primitive) {
    case "pool":
      return { kind: "windows", window: sizes(params, "window"), strides: sizes(params, "strides") };
    case "pool_transpose":
      return {
        kind: "overlapAdd",
        shape: sizes(params, "inShape"),
        window: sizes(params, "window"),
        strides: sizes(params, "strides"),
      };
    case "concatenate":
      return { kind: "concatenate", axis: params.axis as number };
    case "transpose":
      return { kind: "transpose", permutation: sizes(params, "perm") };
    case "broadcast":
      return { kind: "broadcast", shape: sizes(params, "shape"), axes: sizes(params, "axis") };
    case "reshape":
      return { kind: "reshape", shape: sizes(params, "shape") };
    case "flip":
      return { kind: "reverse", axes: sizes(params, "axis") };
    case "shrink": {
      const bounds = params.slice as readonly Pair[];
      return { kind: "slice", start: bounds.map(([start]) => start), end: bounds.map(([, end]) => end) };
    }
    case "pad":
      return { kind: "pad", width: params.width as readonly Pair[] };
    case "gather":
      return { kind: "gather", axes: sizes(params, "axis"), outputAxis: params.outDim as number };
    case "scatter":
      return {
        kind: "scatter",
        shape: sizes(params, "shape"),
        add: params.op === "add",
        axes: sizes(params, "axis"),
        outputAxis: params.outDim as number,
      };
    default:
      return undefined;
  }
}
