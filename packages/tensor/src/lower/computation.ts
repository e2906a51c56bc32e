// Lowers a computation to an ONNX graph, instruction by instruction.

import { invariant } from "@atoll/core";
import type { HostArray, TensorSpec } from "../host.ts";
import { elementCount } from "../host.ts";
import type { Computation, Instruction, Operand } from "../ir.ts";
import { countUses, definitions, isLiteral } from "../ir.ts";
import { contiguous, viewContiguous } from "../layout/arrange.ts";
import type { View } from "../layout/view.ts";
import { range, splat, viewOf } from "../layout/view.ts";
import type { Graph, Port } from "../onnx/graph.ts";
import { GraphBuilder } from "../onnx/graph.ts";
import { inputName, outputName } from "../onnx/names.ts";
import { lowerInstruction } from "./instruction.ts";

const portOf = (spec: TensorSpec, name: string): Port => ({ name, dtype: spec.dtype, shape: spec.shape });

/** @param inputs,outputs the computation's own, with their names */
export function lowerComputation(
  computation: Computation,
  inputs: readonly TensorSpec[],
  outputs: readonly TensorSpec[],
): Graph {
  const g = new GraphBuilder();
  const views = new Map<Operand, View>();
  const definedBy = definitions(computation);
  const uses = countUses(computation);
  const read = (operand: Operand): View => {
    if (isLiteral(operand)) return splat(operand.literal, operand.dtype);
    const view = views.get(operand);
    invariant(view !== undefined, `value ${operand.id} is used before it is computed`);
    return view;
  };
  for (const [i, value] of computation.inputs.entries())
    views.set(value, viewContiguous(g, inputName(inputs[i]!.name), value.shape, value.dtype));
  for (const [value, data] of computation.constants) views.set(value, constantView(g, value, data));

  for (const instruction of computation.instructions) {
    const results = lowerInstruction(instruction, {
      g,
      views: instruction.inputs.map(read),
      reversedFrom: (i) => reversedKernel(definedBy, instruction.inputs[i]!, read),
    });
    for (const [i, value] of instruction.outputs.entries()) {
      const view = results[i]!;
      invariant(
        view.shape.join() === value.shape.join() && view.dtype === value.dtype,
        `${instruction.operation.kind} gives ${view.dtype}[${view.shape}], its type is ${value.dtype}[${value.shape}]`,
      );
      if (view.kind === "buffer" && (uses.get(value) ?? 0) > 1) view.buffer.share();
      views.set(value, view);
    }
  }
  const results = computation.outputs.map((operand) => {
    const view = read(operand);
    return contiguous(g, { ...view, shape: operand.shape });
  });
  return g.finish(
    "atoll",
    inputs.map((spec) => portOf(spec, inputName(spec.name))),
    outputs.map((spec) => portOf(spec, outputName(spec.name))),
    results,
  );
}

/** A constant array; one number repeated is a splat. */
function constantView(g: GraphBuilder, { shape, dtype }: Operand, data: HostArray): View {
  const first = data[0] ?? 0;
  if (elementCount(shape) > 0 && data.every((value) => Object.is(value, first)))
    return splat(first, dtype, shape);
  const order = range(shape.length).filter((d) => shape[d] !== 1);
  const name = g.constant(
    dtype,
    order.map((d) => shape[d]!),
    data,
  );
  return viewOf(name, order, shape, dtype);
}

/**
 * jax-js's input gradient of a convolution swaps the kernel's first two axes and reverses its spatial ones; this is
 * the swapped kernel before it was reversed.
 */
function reversedKernel(
  definedBy: ReadonlyMap<Operand, Instruction>,
  kernel: Operand,
  read: (operand: Operand) => View,
): View | undefined {
  const reversal = definedBy.get(kernel);
  if (reversal?.operation.kind !== "reverse") return undefined;
  const spatial = range(kernel.shape.length).slice(2);
  return reversal.operation.axes.join() === spatial.join() ? read(reversal.inputs[0]!) : undefined;
}
