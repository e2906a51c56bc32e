// Lowers one instruction of the IR onto the graph: dispatch to the families, nothing else.

import { invariant, unreachable } from "@atoll/core";
import { kernelByName } from "../fused/registry.ts";
import type { Instruction, Operation } from "../ir.ts";
import type { View } from "../layout/view.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { convolution } from "./convolution.ts";
import { dot } from "./dot.ts";
import { binary, cast, compare, reluGradient, select, unary } from "./elementwise.ts";
import { gather, scatter } from "./indexing.ts";
import { maxPool, maxPoolGradient, overlapAdd, windows } from "./pooling.ts";
import { randomBits } from "./randomBits.ts";
import { reduce } from "./reduce.ts";
import { broadcast, concatenate, pad, reshape, reverse, slice, transpose } from "./shape.ts";

/** Where the views of the operands come from, and what made them. */
export interface Scope {
  readonly g: GraphBuilder;
  readonly views: readonly View[];
  /** The view that operand `i` was made from by reversing all its spatial axes, if it was. */
  readonly reversedFrom: (i: number) => View | undefined;
}

/** The views of an instruction's results. */
export function lowerInstruction({ operation, inputs, outputs }: Instruction, scope: Scope): readonly View[] {
  const { g, views } = scope;
  if (operation.kind === "fused" || operation.kind === "fusedGradient") {
    const kernel = kernelByName(operation.kernel);
    invariant(kernel !== undefined, `kernel ${operation.kernel} is registered`);
    if (operation.kind === "fused") return kernel.forward(g, views);
    const forward = views.slice(kernel.arity, -1);
    return kernel.gradient(g, views.slice(0, kernel.arity), forward, views.at(-1)!);
  }
  const [result] = outputs;
  invariant(result !== undefined && inputs.length === views.length, `${operation.kind} has one result`);
  const view = lowerOne(operation, scope);
  return [{ ...view, shape: result.shape } satisfies View];
}

type Single = Exclude<Operation, { readonly kind: "fused" | "fusedGradient" }>;

function lowerOne(operation: Single, { g, views, reversedFrom }: Scope): View {
  const [x, y, z] = views as readonly [View, View, View];
  switch (operation.kind) {
    case "unary":
      return unary(g, operation.function, x);
    case "binary":
      return binary(g, operation.function, x, y);
    case "compare":
      return compare(g, operation.function, x, y);
    case "select":
      return select(g, x, y, z);
    case "cast":
      return cast(g, x, operation.dtype);
    case "reduce":
      return reduce(g, x, operation.function, operation.axes);
    case "dot":
      return dot(g, x, y, x.dtype);
    case "convolution":
      return convolution(g, x, y, operation, reversedFrom(1));
    case "windows":
      return windows(g, x, operation);
    case "overlapAdd":
      return overlapAdd(g, x, operation.shape, operation);
    case "maxPool":
      return maxPool(g, x, operation, operation.withIndices);
    case "maxPoolGradient":
      return maxPoolGradient(g, x, y, operation);
    case "reluGradient":
      return reluGradient(g, x, y);
    case "randomBits":
      return randomBits(g, x, y, operation.shape, operation.word);
    default:
      return lowerMovement(operation, g, views);
  }
}

type Movement = Extract<
  Operation,
  {
    readonly kind:
      | "concatenate"
      | "slice"
      | "pad"
      | "reverse"
      | "transpose"
      | "reshape"
      | "broadcast"
      | "gather"
      | "scatter";
  }
>;

function lowerMovement(operation: Movement, g: GraphBuilder, views: readonly View[]): View {
  const x = views[0]!;
  switch (operation.kind) {
    case "concatenate":
      return concatenate(g, views, operation.axis);
    case "slice":
      return slice(g, x, operation.start, operation.end);
    case "pad":
      return pad(g, x, operation.width);
    case "reverse":
      return reverse(g, x, operation.axes);
    case "transpose":
      return transpose(x, operation.permutation);
    case "reshape":
      return reshape(g, x, operation.shape);
    case "broadcast":
      return broadcast(x, operation.shape, operation.axes);
    case "gather":
      return gather(g, x, views.slice(1), operation);
    case "scatter":
      return scatter(g, x, views.slice(1), operation.shape, operation.add, operation);
    default:
      return unreachable(operation);
  }
}
