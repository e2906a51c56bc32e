// jax-js has no subtraction and no division: a − b arrives as a + (−b) and a / b as a · (1/b). Division is restored where
// the divisor is as large as the result, and so the separate pass for the reciprocal would cost more than it saves.

import { elementCount } from "../host.ts";
import type { Instruction } from "../ir.ts";
import type { Rule } from "./rewrite.ts";

const isUnary = (instruction: Instruction | undefined, fn: string): boolean =>
  instruction?.operation.kind === "unary" && instruction.operation.function === fn;

export const restoreDivision: Rule = (instruction, { definition, uses }) => {
  const { operation, inputs, outputs } = instruction;
  if (operation.kind !== "binary" || operation.function !== "multiply") return undefined;
  if (outputs[0]!.dtype !== "float32") return undefined;
  for (const [i, operand] of inputs.entries()) {
    const inverse = definition(operand);
    if (!isUnary(inverse, "reciprocal") || uses(operand) > 1) continue;
    if (elementCount(operand.shape) < elementCount(outputs[0]!.shape)) continue;
    const dividend = inputs[1 - i]!;
    return [
      {
        operation: { kind: "binary", function: "divide" },
        inputs: [dividend, inverse!.inputs[0]!],
        outputs,
      },
    ];
  }
  return undefined;
};

/** Integers only: on floats a negation is a free factor. */
export const restoreSubtraction: Rule = (instruction, { definition }) => {
  const { operation, inputs, outputs } = instruction;
  if (operation.kind !== "binary" || operation.function !== "add") return undefined;
  if (outputs[0]!.dtype === "float32") return undefined;
  for (const [i, operand] of inputs.entries()) {
    const negation = definition(operand);
    if (!isUnary(negation, "negate")) continue;
    const operands = [inputs[1 - i]!, negation!.inputs[0]!];
    return [{ operation: { kind: "binary", function: "subtract" }, inputs: operands, outputs }];
  }
  return undefined;
};
