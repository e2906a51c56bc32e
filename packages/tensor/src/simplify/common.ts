// Common subexpressions: equal operations on equal operands are computed once. Differentiation makes many of them, such
// as x·g and g·x for the gradient of a square. (The graph writer merges equal nodes as well, but by then their layouts
// may differ.)

import type { Computation, Instruction, Operand } from "../ir.ts";
import { isLiteral } from "../ir.ts";

const COMMUTATIVE = new Set(["add", "multiply", "minimum", "maximum", "and", "or", "xor"]);

/** Equal for instructions that compute the same. */
function keyOf({ operation }: Instruction, inputs: readonly Operand[]): string {
  const names = inputs.map((operand) =>
    isLiteral(operand)
      ? `${operand.dtype} ${Object.is(operand.literal, -0) ? "-0" : operand.literal}`
      : `%${operand.id}`,
  );
  if (operation.kind === "binary" && COMMUTATIVE.has(operation.function)) names.sort();
  return `${JSON.stringify(operation)}(${names.join()})`;
}

export function mergeCommon(computation: Computation): Computation {
  const known = new Map<string, Instruction>();
  const replaced = new Map<Operand, Operand>();
  const current = (operand: Operand): Operand => replaced.get(operand) ?? operand;
  const instructions: Instruction[] = [];
  for (const instruction of computation.instructions) {
    const inputs = instruction.inputs.map(current);
    const key = keyOf(instruction, inputs);
    const same = known.get(key);
    if (same !== undefined) {
      for (const [i, output] of instruction.outputs.entries()) replaced.set(output, same.outputs[i]!);
      continue;
    }
    const kept = { ...instruction, inputs };
    known.set(key, kept);
    instructions.push(kept);
  }
  return { ...computation, instructions, outputs: computation.outputs.map(current) };
}
