// Tracing: runs a function once on abstract arrays (jax-js's makeJaxpr), and reads what it did as a Computation.
// Nested calls are inlined, except fused kernels: functions that jax-js sees as `jit(function fused_name(…) {…})` and
// that survive differentiation as a pair of calls, which become the operations `fused` and `fusedGradient`.

import { ConfigError, invariant } from "@atoll/core";
import { type ClosedJaxpr, makeJaxpr } from "@jax-js/jax";
import { consuming, type Tensor } from "./borrow.ts";
import { findFusedCalls } from "./fused/calls.ts";
import type { DType, HostArray, TensorSpec, TensorType } from "./host.ts";
import type { Computation, Instruction, Operand, Operation, Value } from "./ir.ts";
import { countUses, isLiteral, literal, newValue, roundTo } from "./ir.ts";
import type { Atom, Aval, Equation, Jaxpr } from "./jaxpr.ts";
import { dtypeOfAval, isLit } from "./jaxpr.ts";
import { operationOf } from "./translate.ts";
import { flattenTree, mapTree, type Tree } from "./tree.ts";

/** What jax-js's makeJaxpr reads of an argument. Not a plain object, which it would take for a tree. */
class Abstract implements Aval {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly weakType = false;

  constructor({ shape, dtype }: TensorType) {
    this.shape = shape;
    this.dtype = dtype;
  }
}

type TraceFunction = (
  f: (...leaves: Tensor[]) => Tensor[],
  abstracts: readonly Aval[],
) => { readonly jaxpr: ClosedJaxpr };

/** makeJaxpr takes types where its declaration asks for arrays; reading a function needs nothing else. */
const traceAbstract: TraceFunction = (f, abstracts) =>
  (makeJaxpr as unknown as (f: unknown) => (...args: readonly Aval[]) => { readonly jaxpr: ClosedJaxpr })(f)(
    ...abstracts,
  );

export interface Traced {
  readonly computation: Computation;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** Names of the leaves: their paths; a tree that is a lone leaf is called `value`. */
export const leafName = (path: string): string => (path === "" ? "value" : path);

/**
 * Traces `f` on arrays of the given types. Its argument and its result are trees; inputs and outputs are their leaves.
 * @throws ConfigError for a primitive that cannot be lowered, or a result of an element type that programs don't have
 */
export function trace(f: (args: never) => unknown, example: Tree<TensorType>): Traced {
  const inputs = flattenTree(example).map(({ path, leaf }) => ({
    name: leafName(path),
    shape: [...leaf.shape],
    dtype: leaf.dtype,
  }));
  let names: string[] = [];
  const flat = (...leaves: Tensor[]): Tensor[] => {
    let next = 0;
    const args = mapTree(example, () => leaves[next++]!);
    const results = flattenTree(f(args as never) as Tree<Tensor>);
    names = results.map(({ path }) => leafName(path));
    return results.map(({ leaf }) => leaf);
  };
  const abstracts = inputs.map((input) => new Abstract(input));
  const { jaxpr: closed } = traceAbstract(consuming(flat), abstracts);
  const constants = closed.consts.map((constant) => {
    const array = constant as unknown as { readonly ref: { dataSync(): ArrayLike<number> } };
    return (): ArrayLike<number> => array.ref.dataSync();
  });
  const computation = readJaxpr(closed.jaxpr as unknown as Jaxpr, constants);
  closed.dispose();
  const outputs = computation.outputs.map(({ shape, dtype }, i) => ({ name: names[i]!, shape, dtype }));
  return { computation, inputs, outputs };
}

/**
 * @param constants data of the first binders. Only what is read is computed: fused kernels' own functions close over
 * arrays, such as the identity matrix of a vocabulary, that must never exist.
 */
function readJaxpr(jaxpr: Jaxpr, constants: readonly (() => ArrayLike<number>)[]): Computation {
  const captured = new Set(jaxpr.inBinders.slice(0, constants.length));
  const fused = findFusedCalls(jaxpr, captured);
  const reader = new Reader();
  const binders = jaxpr.inBinders.map((binder) => reader.define(binder));
  for (const equation of fused.jaxpr.eqns) {
    const call = fused.calls.get(equation);
    if (call === undefined) reader.readEquation(equation);
    else reader.readAs(call.operation, call.inputs, call.outputs);
  }
  const outputs = fused.jaxpr.outs.map((atom) => reader.read(atom));
  const used = countUses({ instructions: reader.instructions, outputs });
  const needed = constants.flatMap((data, i) => {
    const value = binders[i]!;
    return used.has(value) ? [[value, arrayOf(data(), value.dtype)] as const] : [];
  });
  return {
    inputs: binders.slice(constants.length),
    constants: new Map(needed),
    instructions: reader.instructions,
    outputs,
  };
}

const arrayOf = (data: ArrayLike<number>, dtype: DType): HostArray => {
  switch (dtype) {
    case "float32":
      return Float32Array.from(data);
    case "int32":
      return Int32Array.from(data);
    case "uint32":
      return Uint32Array.from(data);
    case "bool":
      return Uint8Array.from(data, (value) => (value ? 1 : 0));
  }
  return dtype satisfies never;
};

function typeOfAval(aval: Aval): TensorType {
  const dtype = dtypeOfAval(aval);
  if (dtype === undefined)
    throw new ConfigError(
      `Cannot compile an array of type ${aval.dtype}[${aval.shape}]; cast it to float32, int32, uint32 or bool.`,
    );
  return { shape: aval.shape, dtype };
}

/** Reads equations in order and keeps the values of their variables. */
class Reader {
  readonly instructions: Instruction[] = [];
  readonly #operands = new Map<Atom, Operand>();

  define(atom: Atom): Value {
    const value = newValue(typeOfAval(atom.aval));
    this.#operands.set(atom, value);
    return value;
  }

  read(atom: Atom): Operand {
    if (isLit(atom)) return literal(atom.value, typeOfAval(atom.aval).dtype);
    const operand = this.#operands.get(atom);
    invariant(operand !== undefined, `variable ${atom.id} is used before it is defined`);
    return operand;
  }

  readAs(operation: Operation, inputs: readonly Atom[], outputs: readonly Atom[]): void {
    const operands = inputs.map((atom) => this.read(atom));
    this.instructions.push({
      operation,
      inputs: operands,
      outputs: outputs.map((atom) => this.define(atom)),
    });
  }

  readEquation(equation: Equation): void {
    const [result] = equation.outBinders;
    invariant(result !== undefined, `${equation.primitive} has a result`);
    if (equation.primitive === "stop_gradient") {
      this.#operands.set(result, this.read(equation.inputs[0]!));
    } else if (equation.primitive === "split") {
      this.#readSplit(equation);
    } else {
      const operation = operationOf(equation);
      const operands = this.#promote(operation, equation);
      this.instructions.push({ operation, inputs: operands, outputs: [this.define(result)] });
    }
  }

  /** Several results of one equation become one slice each. */
  #readSplit({ inputs, outBinders, params }: Equation): void {
    const axis = params.axis as number;
    const source = this.read(inputs[0]!);
    let offset = 0;
    for (const binder of outBinders) {
      const size = binder.aval.shape[axis]!;
      const start = source.shape.map((_, d) => (d === axis ? offset : 0));
      const end = source.shape.map((length, d) => (d === axis ? offset + size : length));
      offset += size;
      this.instructions.push({
        operation: { kind: "slice", start, end },
        inputs: [source],
        outputs: [this.define(binder)],
      });
    }
  }

  /** The operands, cast to the one type that jax-js promotes them to. */
  #promote(operation: Operation, { inputs, outBinders }: Equation): Operand[] {
    const operands = inputs.map((atom) => this.read(atom));
    const to = outBinders[0]!.aval.dtype as DType;
    switch (operation.kind) {
      case "binary":
        if (operation.function === "shiftLeft" || operation.function === "shiftRight") return operands;
        return operands.map((operand) => this.#cast(operand, to));
      case "dot":
      case "convolution":
      case "concatenate":
        return operands.map((operand) => this.#cast(operand, to));
      case "select":
        return operands.map((operand, i) => (i === 0 ? operand : this.#cast(operand, to)));
      case "compare": {
        const common = promote(inputs[0]!.aval, inputs[1]!.aval);
        return operands.map((operand) => this.#cast(operand, common));
      }
      default:
        return operands;
    }
  }

  #cast(operand: Operand, dtype: DType): Operand {
    if (operand.dtype === dtype) return operand;
    if (isLiteral(operand)) return literal(roundTo(operand.literal, dtype), dtype);
    const value = newValue({ shape: operand.shape, dtype });
    this.instructions.push({ operation: { kind: "cast", dtype }, inputs: [operand], outputs: [value] });
    return value;
  }
}

const RANK: readonly DType[] = ["bool", "uint32", "int32", "float32"];

/** The common type of two arrays; a weakly typed one (a plain number) follows the other unless that is boolean. */
function promote(a: Aval, b: Aval): DType {
  const higher = (x: string, y: string): DType =>
    RANK[Math.max(RANK.indexOf(x as DType), RANK.indexOf(y as DType))]!;
  if (a.weakType === b.weakType) return higher(a.dtype, b.dtype);
  return higher(a.weakType ? b.dtype : a.dtype, "uint32");
}
