// What this machine has by Node's own account: cores, memory, versions. No program is started for it.

import { availableParallelism, cpus, freemem, release } from "node:os";
import { machineMemoryBytes } from "@atoll/train/node/memory";

export interface Machine {
  /** Such as "linux 6.1.0 x64". */
  readonly system: string;
  /** Cores that this process may use, which a container can make fewer. */
  readonly cores: number;
  readonly cpu: string;
  /** Memory that this process may use, which a container can make less. */
  readonly memoryBytes: number;
  readonly freeMemoryBytes: number;
  /** Without the "v". */
  readonly node: string;
  readonly onnxRuntime: boolean;
}

export async function thisMachine(): Promise<Machine> {
  const memoryBytes = machineMemoryBytes();
  return {
    system: `${process.platform} ${release()} ${process.arch}`,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    memoryBytes,
    freeMemoryBytes: Math.min(memoryBytes, freemem()),
    node: process.versions.node,
    onnxRuntime: await runsNatively(),
  };
}

/** Whether ONNX Runtime's native code is there for this system: all training runs on it. */
async function runsNatively(): Promise<boolean> {
  try {
    await import("@atoll/tensor/node");
    return true;
  } catch {
    return false;
  }
}
