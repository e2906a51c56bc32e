// Compiling, the easy way: a function and an example of its argument in, a program that runs on host tensors out.

import type { Example } from "../program.ts";
import type { Backend, Program } from "./backend.ts";
import { wasm } from "./wasm.ts";

export interface CompileOptions {
  readonly backend?: Backend;
}

/**
 * Compiles a function of a tree of tensors for arguments of the example's types. The default backend, `wasm`, runs
 * everywhere; in Node `@atoll/tensor/node` has a `compile` whose default is native.
 */
export const compile = <A, R>(
  f: (args: never) => unknown,
  example: Example,
  { backend = wasm }: CompileOptions = {},
): Promise<Program<A, R>> => backend.compile<A, R>(f, example);
