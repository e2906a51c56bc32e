// The tensor package with ONNX Runtime's native kernels, for Node.

import type { Program } from "../backends/backend.ts";
import { type CompileOptions, compile as compileWith } from "../backends/compile.ts";
import type { Example } from "../program.ts";
import { onnx } from "./onnx.ts";

export { onnx } from "./onnx.ts";
export type { Session, SessionOptions } from "./session.ts";
export { createSession } from "./session.ts";

/** As `compile` of `@atoll/tensor`, on the native backend unless told otherwise. */
export const compile = <A, R>(
  f: (args: never) => unknown,
  example: Example,
  { backend = onnx }: CompileOptions = {},
): Promise<Program<A, R>> => compileWith<A, R>(f, example, { backend });
