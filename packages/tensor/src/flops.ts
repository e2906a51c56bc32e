// Counts the floating-point operations of a computation: 2·M·N·K for a matrix product, 2·C·|window| a result element for
// a convolution (its gradients likewise, as they are convolutions), one an element for element-wise functions and for
// each operand element of a reduction or pooling. Moving data, comparing and integer arithmetic count nothing. Fused
// kernels count as many passes over their first argument as their forward or backward formula has.

import { elementCount } from "./host.ts";
import type { Computation, Instruction } from "./ir.ts";

const FUSED_PASSES = 8;

export const flops = (computation: Computation): number =>
  computation.instructions.reduce((sum, instruction) => sum + flopsOf(instruction), 0);

function flopsOf({ operation, inputs, outputs }: Instruction): number {
  const [result] = outputs;
  const results = elementCount(result!.shape);
  switch (operation.kind) {
    case "dot":
      return 2 * results * inputs[0]!.shape.at(-1)!;
    case "convolution":
      return 2 * results * elementCount(inputs[1]!.shape.slice(operation.mappedAxes + 1));
    case "unary":
    case "binary":
    case "reluGradient":
      return result!.dtype === "float32" ? results : 0;
    case "reduce":
    case "maxPool":
    case "overlapAdd":
      return inputs[0]!.dtype === "float32" ? elementCount(inputs[0]!.shape) : 0;
    case "scatter":
      return operation.add ? elementCount(inputs[0]!.shape) : 0;
    case "fused":
    case "fusedGradient":
      return FUSED_PASSES * elementCount(inputs[0]!.shape);
    case "compare":
    case "select":
    case "cast":
    case "windows":
    case "maxPoolGradient":
    case "concatenate":
    case "slice":
    case "pad":
    case "reverse":
    case "transpose":
    case "reshape":
    case "broadcast":
    case "gather":
    case "randomBits":
      return 0;
  }
  return operation satisfies never;
}
