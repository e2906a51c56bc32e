// What a worker thread needs to run programs on vectors in shared memory, and no more: neither jax-js nor the compiler.
// An entry point of its own (@atoll/tensor/node/runtime), since each thread would load all that it imports.

export type { HostArray, TensorSpec } from "../host.ts";
export type { FusedUpdate, UpdateVectors } from "../kernels/apply.ts";
export { applyUpdate } from "../kernels/apply.ts";
export type { Kernels } from "../kernels/kernels.ts";
export { createKernels } from "../kernels/kernels.ts";
export type { VectorAddress } from "../memory.ts";
export { viewAt } from "../memory.ts";
export type { LoweredProgram } from "../program.ts";
export type { Session, SessionOptions } from "./session.ts";
export { createSession } from "./session.ts";
