// Lowering: a function of arrays to a program that is plain data (an ONNX model, and the names and types of what goes in
// and out), so that it can be written to a file or posted to worker threads. Passes, in order: trace, simplify, lower
// (with lazy layouts), encode. Running it is another matter: see backends/ and node/.

import { ConfigError } from "@atoll/core";
import { flops } from "./flops.ts";
import { formatType, type HostTensor, type TensorSpec, type TensorType, typeOf } from "./host.ts";
import { lowerComputation } from "./lower/computation.ts";
import { loopGraph } from "./lower/loop.ts";
import { encodeModel } from "./onnx/encode.ts";
import { simplify } from "./simplify/index.ts";
import { type Traced, trace } from "./trace.ts";
import { mapTree, type Tree } from "./tree.ts";

/** Arrays, or only their types: enough to trace a function on. */
export type Example = Tree<HostTensor | TensorType>;

/** A program as data. Inputs and outputs are named by their paths in the trees, e.g. "batch.x"; a lone leaf is "value". */
export interface LoweredProgram {
  /** An ONNX model. */
  readonly bytes: Uint8Array;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Floating-point operations of one run; for a loop, of one step. */
  readonly flops: number;
}

export const typesOf = (example: Example): Tree<TensorType> =>
  mapTree<HostTensor | TensorType, TensorType>(example, (leaf, path) =>
    "data" in leaf ? typeOf(leaf, path) : leaf,
  );

function traceSimplified(f: (args: never) => unknown, example: Example): Traced {
  const traced = trace(f, typesOf(example));
  return { ...traced, computation: simplify(traced.computation) };
}

/**
 * Lowers a function of a tree of arrays that returns a tree of arrays.
 * @param f is run once, on abstract arrays; it may use anything in ops.ts
 * @throws ConfigError if it uses an operation that has no lowering
 */
export function lower<A>(f: (args: A) => unknown, example: Example): LoweredProgram {
  const { computation, inputs, outputs } = traceSimplified(f as (args: never) => unknown, example);
  const graph = lowerComputation(computation, inputs, outputs);
  return { bytes: encodeModel(graph), inputs, outputs, flops: flops(computation) };
}

/** What one step of a loop takes: its state and this step's part of the arrays that it runs along. */
export interface StepArguments<C, X> {
  readonly carry: C;
  readonly x: X;
}

/** What a step gives: the new state, and what is collected over the steps. */
export interface StepResult<C> {
  readonly carry: C;
  readonly y: unknown;
}

/**
 * Lowers K steps into one program, as jax.lax.scan does; K follows from the arrays at each run. The state stays inside
 * the session between steps. Inputs are `carry.…` and `xs.…` with K as their first size, outputs `carry.…` and `ys.…`;
 * those along the steps are marked `perStep`, and their specs have the shape of one step.
 * @throws ConfigError if the state's type changes from step to step, or there is nothing to run along
 */
export function lowerLoop<C, X>(
  step: (args: StepArguments<C, X>) => StepResult<C>,
  example: { readonly carry: Example; readonly x: Example },
): LoweredProgram {
  const { computation, inputs, outputs } = traceSimplified(
    step as (args: never) => unknown,
    {
      carry: example.carry,
      x: example.x,
    } as Example,
  );
  checkCarry(inputs, outputs);
  const graph = lowerComputation(computation, inputs, outputs);
  const [takes, gives] = [inputs.map(loopPort), outputs.map(loopPort)];
  return {
    bytes: encodeModel(loopGraph(graph, takes, gives)),
    inputs: takes,
    outputs: gives,
    flops: flops(computation),
  };
}

const loopPort = (spec: TensorSpec): TensorSpec =>
  isCarry(spec) ? spec : { ...spec, name: plural(spec.name), perStep: true };

const isCarry = ({ name }: TensorSpec): boolean => name === "carry" || name.startsWith("carry.");

/** "x.images" -> "xs.images" */
const plural = (name: string): string => name.replace(/^[xy]/, "$&s");

function checkCarry(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): void {
  const describe = (specs: readonly TensorSpec[]): string =>
    specs
      .filter(isCarry)
      .map((spec) => `${spec.name}: ${formatType(spec)}`)
      .sort()
      .join(", ");
  if (describe(inputs) !== describe(outputs))
    throw new ConfigError(
      `A loop's step must return a carry of the type it takes: expected {${describe(inputs)}}, got {${describe(outputs)}}.`,
    );
  if (inputs.every(isCarry))
    throw new ConfigError("A loop needs at least one array to run along: give the step an x.");
}
