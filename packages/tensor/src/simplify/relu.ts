// Recognises the rectifier: max(x, 0) and its gradient, which jax-js traces as where(x < 0, 0, g). At exactly 0 our
// gradient is 0, as in PyTorch and JAX's nn.relu; jax-js's own is g.

import type { Instruction, Operand } from "../ir.ts";
import { isLiteral } from "../ir.ts";
import type { Context, Rule } from "./rewrite.ts";

const isZero = (operand: Operand | undefined): boolean =>
  operand !== undefined && isLiteral(operand) && operand.literal === 0;

export const recogniseRelu: Rule = ({ operation, inputs, outputs }) => {
  if (operation.kind !== "binary" || operation.function !== "maximum") return undefined;
  const [a, b] = inputs as readonly [Operand, Operand];
  if (a.dtype !== "float32" || !(isZero(a) || isZero(b))) return undefined;
  return [{ operation: { kind: "unary", function: "relu" }, inputs: [isZero(b) ? a : b], outputs }];
};

export const recogniseReluGradient: Rule = (instruction, context) => {
  const { operation, inputs, outputs } = instruction;
  if (operation.kind !== "select" || !isZero(inputs[1])) return undefined;
  const comparison = context.definition(inputs[0]);
  if (comparison?.operation.kind !== "compare" || comparison.operation.function !== "less") return undefined;
  const [tested, bound] = comparison.inputs;
  const result = isZero(bound) ? reluOf(tested!, context) : undefined;
  if (result === undefined) return undefined;
  return [{ operation: { kind: "reluGradient" }, inputs: [result.outputs[0]!, inputs[2]!], outputs }];
};

/** The relu of this operand, if the program computes it before. */
const reluOf = (operand: Operand, { earlier }: Context): Instruction | undefined =>
  earlier.find(
    ({ operation, inputs }) =>
      operation.kind === "unary" && operation.function === "relu" && inputs[0] === operand,
  );
