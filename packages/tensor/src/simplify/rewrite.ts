// Peephole rewriting: a rule looks at one instruction and at what defines its operands, and may put other instructions in
// its place that define the same results. Instructions that nobody reads any more are dropped by deadCode.

import type { Computation, Instruction, Operand, Value } from "../ir.ts";
import { countUses, isLiteral } from "../ir.ts";

/** What a rule may ask about the computation. */
export interface Context {
  /** The instruction that computes an operand, if one does. */
  readonly definition: (operand: Operand | undefined) => Instruction | undefined;
  /** How many times an operand is read, outputs included. */
  readonly uses: (operand: Operand) => number;
  /** The instructions so far, already rewritten. */
  readonly earlier: readonly Instruction[];
}

/** Instructions that compute the same outputs, or undefined to leave the instruction as it is. */
export type Rule = (instruction: Instruction, context: Context) => readonly Instruction[] | undefined;

/** One sweep of a rule over the computation, in order; definitions are those already rewritten. */
export function rewrite(computation: Computation, rule: Rule): Computation {
  const definedBy = new Map<Operand, Instruction>();
  const uses = countUses(computation);
  const earlier: Instruction[] = [];
  const context: Context = {
    definition: (operand) => (operand === undefined ? undefined : definedBy.get(operand)),
    uses: (operand) => uses.get(operand) ?? 0,
    earlier,
  };
  for (const instruction of computation.instructions)
    for (const each of rule(instruction, context) ?? [instruction]) {
      for (const output of each.outputs) definedBy.set(output, each);
      earlier.push(each);
    }
  return { ...computation, instructions: earlier };
}

/** Drops instructions and constants that no output needs. */
export function deadCode(computation: Computation): Computation {
  const needed = new Set<Operand>(computation.outputs);
  const live: Instruction[] = [];
  for (const instruction of [...computation.instructions].reverse()) {
    if (!instruction.outputs.some((output) => needed.has(output))) continue;
    live.push(instruction);
    for (const input of instruction.inputs) if (!isLiteral(input)) needed.add(input);
  }
  const constants = [...computation.constants].filter(([value]: readonly [Value, unknown]) =>
    needed.has(value),
  );
  return { ...computation, constants: new Map(constants), instructions: live.reverse() };
}
