// The gradient of softmax(where(mask, x, −∞)) is traced as where(mask, gradient of the softmax, 0). A probability that is
// masked is 0, and so is its gradient: the second selection, a pass over all attention weights, changes nothing.

import type { Operand } from "../ir.ts";
import { isLiteral } from "../ir.ts";
import type { Rule } from "./rewrite.ts";

export const dropSecondMask: Rule = ({ operation, inputs, outputs }, { definition }) => {
  if (operation.kind !== "select") return undefined;
  const [mask, gradient, other] = inputs as readonly [Operand, Operand, Operand];
  const softmax = definition(gradient);
  if (softmax?.operation.kind !== "fusedGradient" || softmax.operation.kernel !== "softmax") return undefined;
  const masking = definition(softmax.inputs[0]);
  const isMasked =
    masking?.operation.kind === "select" &&
    masking.inputs[0] === mask &&
    isNumber(masking.inputs[2], Number.NEGATIVE_INFINITY);
  if (!isMasked || !isNumber(other, 0)) return undefined;
  return [{ operation: { kind: "reshape", shape: outputs[0]!.shape }, inputs: [gradient], outputs }];
};

const isNumber = (operand: Operand | undefined, value: number): boolean =>
  operand !== undefined && isLiteral(operand) && operand.literal === value;
