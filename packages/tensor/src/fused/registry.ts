// The fused kernels that the compiler knows, by name. A new one is one file and one line here; the traced function must
// be `jit(function fused_<name>(…) {…})` and make no array constants of its own.

import type { FusedKernel } from "./kernel.ts";

const KERNELS: readonly FusedKernel[] = [];

const byName: ReadonlyMap<string, FusedKernel> = new Map(KERNELS.map((kernel) => [kernel.name, kernel]));

export const kernelByName = (name: string): FusedKernel | undefined => byName.get(name);
