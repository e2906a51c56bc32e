// The part of jax-js's traced programs (Jaxprs) that the compiler reads. The package doesn't export its classes as
// values, so these are structural types, and a program's nested calls are inlined here, all but the fused kernels'.

import type { DType } from "./host.ts";

export interface Aval {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly weakType: boolean;
}

export interface Var {
  readonly id: number;
  readonly aval: Aval;
}

export interface Lit {
  readonly value: number;
  readonly aval: Aval;
}

export type Atom = Var | Lit;

export const isLit = (atom: Atom): atom is Lit => "value" in atom && !("id" in atom);

/** An equation; the type of `params` depends on the primitive and is checked where they are read. */
export interface Equation {
  readonly primitive: string;
  readonly inputs: readonly Atom[];
  readonly params: Readonly<Record<string, unknown>>;
  readonly outBinders: readonly Var[];
}

export interface Jaxpr {
  readonly inBinders: readonly Var[];
  readonly eqns: readonly Equation[];
  readonly outs: readonly Atom[];
}

/** A nested call: `jit(function name(…) {…})`. */
export interface Call {
  readonly name: string;
  readonly jaxpr: Jaxpr;
}

export const callOf = (equation: Equation): Call | undefined =>
  equation.primitive === "jit" ? (equation.params as unknown as Call) : undefined;

/** Inlines every nested call that `keep` doesn't hold back. Equations that are kept are the same objects. */
export function inlineCalls(jaxpr: Jaxpr, keep: (equation: Equation) => boolean): Jaxpr {
  const equations: Equation[] = [];
  const replaced = new Map<Var, Atom>();
  const read = (atom: Atom): Atom => (isLit(atom) ? atom : (replaced.get(atom) ?? atom));

  const inline = (body: Jaxpr, args: readonly Atom[]): readonly Atom[] => {
    // A body may be called more than once, so its variables are renamed at each call.
    const local = new Map<Var, Atom>();
    for (const [i, binder] of body.inBinders.entries()) local.set(binder, args[i]!);
    const readLocal = (atom: Atom): Atom => (isLit(atom) ? atom : local.get(atom)!);
    for (const equation of body.eqns) {
      const call = keep(equation) ? undefined : callOf(equation);
      const inputs = equation.inputs.map(readLocal);
      if (call !== undefined) {
        const results = inline(call.jaxpr, inputs);
        for (const [i, binder] of equation.outBinders.entries()) local.set(binder, results[i]!);
        continue;
      }
      const outBinders = equation.outBinders.map((binder): Var => ({ id: binder.id, aval: binder.aval }));
      for (const [i, binder] of equation.outBinders.entries()) local.set(binder, outBinders[i]!);
      equations.push({ ...equation, inputs, outBinders });
    }
    return body.outs.map(readLocal);
  };

  for (const equation of jaxpr.eqns) {
    const call = keep(equation) ? undefined : callOf(equation);
    const inputs = equation.inputs.map(read);
    if (call === undefined) {
      equations.push({ ...equation, inputs });
      continue;
    }
    const results = inline(call.jaxpr, inputs);
    for (const [i, binder] of equation.outBinders.entries()) replaced.set(binder, results[i]!);
  }
  return { inBinders: jaxpr.inBinders, eqns: equations, outs: jaxpr.outs.map(read) };
}

const DTYPES: readonly string[] = ["float32", "int32", "uint32", "bool"] satisfies readonly DType[];

/** The element type of a traced array, or undefined if programs can't have it (float16, float64). */
export const dtypeOfAval = (aval: Aval): DType | undefined =>
  DTYPES.includes(aval.dtype) ? (aval.dtype as DType) : undefined;
