export type { FusedUpdate, UpdateVectors } from "./apply.ts";
export { applyUpdate } from "./apply.ts";
export type { KernelName, Kernels } from "./kernels.ts";
export { createKernels } from "./kernels.ts";
export type { UpdatePlan } from "./plan.ts";
export { planUpdate } from "./plan.ts";
