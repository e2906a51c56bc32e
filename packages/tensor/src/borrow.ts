// jax-js arrays have move semantics: a function consumes its arguments, and whoever wants to use one again takes `.ref`
// first. Model code should not have to count references, so Atoll's operations borrow: they take the reference
// themselves and leave the argument usable. What they make belongs to the innermost scope and is freed when that ends.
// This file is the border between the two worlds; above it nobody consumes, below it nobody borrows.

import type { numpy } from "@jax-js/jax";
import { mapTree, type Tree } from "./tree.ts";

/** An array of a traced or eager computation. Immutable; functions that take one leave it usable. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly ndim: number;
  readonly size: number;
}

/** The same object as jax-js knows it, with reference counts and consuming methods. */
export type JaxArray = numpy.Array;

let scope: JaxArray[] | undefined;

/** A reference for a consuming function to use up; numbers pass through. */
export function lend(x: Tensor): JaxArray;
export function lend(x: number): number;
export function lend(x: Tensor | number): JaxArray | number;
export function lend(x: Tensor | number): JaxArray | number {
  return typeof x === "number" ? x : (x as JaxArray).ref;
}

/** Hands what a consuming function returned to the current scope. Outside of any scope the caller must dispose of it. */
export function keep(x: JaxArray): Tensor {
  scope?.push(x);
  return x;
}

/** Runs `f` in a scope of its own: when it ends, what was made in it is freed, except what it returns. */
export function scoped<R>(f: () => R): R {
  const result = inScope(f);
  mapTree(result as Tree<Tensor>, (tensor) => keep(tensor as JaxArray));
  return result;
}

/** As `scoped`, but the caller holds one reference to each result, as after a call of a consuming function. */
function inScope<R>(f: () => R): R {
  const outer = scope;
  const made: JaxArray[] = [];
  scope = made;
  try {
    return mapTree(f() as Tree<Tensor>, (tensor) => lend(tensor)) as R;
  } finally {
    scope = outer;
    for (const array of made) array.dispose();
  }
}

/**
 * A borrowing function as jax-js's transformations (`jit`, `makeJaxpr`, `vjp`, `vmap`) want it: consumes its arguments.
 * The result depends on the arguments' shapes alone, so a wrapped function can be traced any number of times.
 */
export function consuming<A extends readonly unknown[], R>(f: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    try {
      return inScope(() => f(...args));
    } finally {
      dispose(args as Tree<Tensor>);
    }
  };
}

/** Frees the tensors of a tree that was made outside of any scope, or by a consuming function. */
export function dispose(tree: Tree<Tensor>): void {
  mapTree(tree, (tensor) => {
    if (typeof tensor === "object") (tensor as JaxArray).dispose();
  });
}
