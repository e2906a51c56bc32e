// The fused kernels that the compiler knows, by name. A new one is one file and one line here; the traced function is
// made by `fuse`.

import { crossEntropyKernel } from "./crossEntropy.ts";
import { geluKernel } from "./gelu.ts";
import type { FusedKernel } from "./kernel.ts";
import { layerNormKernel } from "./layerNorm.ts";
import { softmaxKernel } from "./softmax.ts";

const KERNELS: readonly FusedKernel[] = [crossEntropyKernel, geluKernel, layerNormKernel, softmaxKernel];

const byName: ReadonlyMap<string, FusedKernel> = new Map(KERNELS.map((kernel) => [kernel.name, kernel]));

export const kernelByName = (name: string): FusedKernel | undefined => byName.get(name);
