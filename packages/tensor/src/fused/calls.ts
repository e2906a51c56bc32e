// Finds calls of fused kernels in a Jaxpr. `jit(function fused_softmax(x) {…})` appears as a call of that name where it
// is not differentiated; differentiated, it appears as `fused_softmax_jvp_peval` (the result, then residuals of jax-js's
// own) and `fused_softmax_jvp_resid_t` (residuals and the cotangent to the arguments' cotangents), linked by residuals.
// A call that doesn't have the form we know is inlined: slower, never wrong.

import type { Operation } from "../ir.ts";
import type { Atom, Equation, Jaxpr, Var } from "../jaxpr.ts";
import { callOf, inlineCalls, isLit } from "../jaxpr.ts";
import type { FusedKernel } from "./kernel.ts";
import { kernelByName } from "./registry.ts";

/** How to read an equation that calls a kernel. */
export interface FusedCall {
  readonly operation: Operation;
  readonly inputs: readonly Atom[];
  readonly outputs: readonly Var[];
}

interface Call {
  readonly kernel: FusedKernel;
  readonly part: "whole" | "forward" | "backward";
}

const PARTS = { "": "whole", _jvp_peval: "forward", _jvp_resid_t: "backward" } as const;

function kernelCall(equation: Equation): Call | undefined {
  const match = /^fused_([A-Za-z]+?)(_jvp_peval|_jvp_resid_t|)$/.exec(callOf(equation)?.name ?? "");
  const kernel = match === null ? undefined : kernelByName(match[1]!);
  return kernel === undefined ? undefined : { kernel, part: PARTS[match![2] as keyof typeof PARTS] };
}

/** @param captured variables that are constants of the trace, which are never a kernel's arguments */
export function findFusedCalls(
  jaxpr: Jaxpr,
  captured: ReadonlySet<Var>,
): { readonly jaxpr: Jaxpr; readonly calls: ReadonlyMap<Equation, FusedCall> } {
  const isKernel = (equation: Equation): boolean => kernelCall(equation) !== undefined;
  const outer = inlineCalls(jaxpr, isKernel);
  const calls = matchCalls(outer, captured);
  const known = new Set(calls.keys());
  if (outer.eqns.every((equation) => !isKernel(equation) || known.has(equation)))
    return { jaxpr: outer, calls };
  // Inlining makes new equations, so what is left is matched again in its new clothes.
  const rest = inlineCalls(outer, (equation) => known.has(equation));
  return { jaxpr: rest, calls: matchCalls(rest, captured) };
}

function matchCalls(jaxpr: Jaxpr, captured: ReadonlySet<Var>): Map<Equation, FusedCall> {
  const calls = new Map<Equation, FusedCall>();
  const forwards = new Map<Atom, { readonly equation: Equation; readonly args: readonly Atom[] }>();
  for (const equation of jaxpr.eqns) {
    const call = kernelCall(equation);
    if (call === undefined) continue;
    const { kernel, part } = call;
    if (part === "backward") {
      const residual = equation.inputs.find((atom) => forwards.has(atom));
      const forward = residual === undefined ? undefined : forwards.get(residual)!;
      const found = forward && backwardCall(kernel, equation, forward.args, calls.get(forward.equation)!);
      if (found !== undefined) calls.set(equation, found);
      continue;
    }
    const args = equation.inputs.filter((atom) => isLit(atom) || !captured.has(atom));
    if (args.length !== kernel.arity) continue;
    const [result] = equation.outBinders;
    const saved = kernel.saved(args.map(({ aval }) => aval.shape));
    const outputs = saved.map(
      (shape): Var => ({ id: -1, aval: { shape, dtype: "float32", weakType: false } }),
    );
    calls.set(equation, {
      operation: { kind: "fused", kernel: kernel.name },
      inputs: args,
      outputs: [result!, ...outputs],
    });
    for (const residual of equation.outBinders.slice(1)) forwards.set(residual, { equation, args });
  }
  return dropUnpaired(jaxpr, calls);
}

function backwardCall(
  kernel: FusedKernel,
  equation: Equation,
  args: readonly Atom[],
  forward: FusedCall,
): FusedCall | undefined {
  const outputs = cotangents(equation.outBinders, args);
  if (outputs === undefined) return undefined;
  return {
    operation: { kind: "fusedGradient", kernel: kernel.name },
    inputs: [...args, ...forward.outputs, equation.inputs.at(-1)!],
    outputs,
  };
}

/**
 * One variable for each argument's cotangent. jax-js gives one for each argument, or for the differentiated ones only;
 * where that doesn't tell which they are, undefined.
 */
function cotangents(given: readonly Var[], args: readonly Atom[]): readonly Var[] | undefined {
  const isFloat = (atom: Atom): boolean => atom.aval.dtype === "float32";
  const isAll = given.length === args.length;
  if (!isAll && given.length !== args.filter(isFloat).length) return undefined;
  let next = 0;
  const outputs = args.map(
    (atom): Var => (isAll || isFloat(atom) ? given[next++]! : { id: -1, aval: atom.aval }),
  );
  const agrees = outputs.every(({ aval }, i) => aval.shape.join() === args[i]!.aval.shape.join());
  return agrees ? outputs : undefined;
}

/** A forward part whose residuals are read by anything but its own backward part must be inlined with that. */
function dropUnpaired(jaxpr: Jaxpr, calls: Map<Equation, FusedCall>): Map<Equation, FusedCall> {
  const residuals = new Map<Atom, Equation>();
  for (const equation of calls.keys())
    for (const atom of equation.outBinders.slice(1))
      if (calls.get(equation)!.operation.kind === "fused") residuals.set(atom, equation);
  const dropped = new Set<Equation>();
  for (const equation of jaxpr.eqns) {
    if (calls.get(equation)?.operation.kind === "fusedGradient") continue;
    for (const atom of equation.inputs) if (residuals.has(atom)) dropped.add(residuals.get(atom)!);
  }
  for (const equation of calls.keys())
    if (equation.inputs.some((atom) => dropped.has(residuals.get(atom)!))) dropped.add(equation);
  for (const equation of dropped) calls.delete(equation);
  return calls;
}
