// How much memory this machine has. Apart from everything else here, since whoever asks may not be able to load the rest.

import { totalmem } from "node:os";

/** Bytes that this process may use at most, which a container can make less than there are. */
export function machineMemoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
