export type { KernelName, Kernels } from "./kernels.ts";
export { createKernels } from "./kernels.ts";
export type { FusedUpdate, UpdatePlan, UpdateVectors } from "./plan.ts";
export { applyUpdate, planUpdate } from "./plan.ts";
