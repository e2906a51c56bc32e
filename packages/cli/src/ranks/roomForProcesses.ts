// Whether this machine has memory for the processes of a run: asked before anything is looked for or made for it, and again
// when rank 0 knows how large it is itself.

import { ConfigError, formatBytes } from "@atoll/core";
import type { RunConfig } from "../runOptions.ts";
import type { Terminal } from "../terminal.ts";

/** What a process takes at least: Node, ONNX Runtime and a small model. */
const LEAST_PROCESS_BYTES = 120e6;

/** @throws ConfigError if this machine has no memory for so many processes beside this one */
export function refuseTooMany(nodes: number, processBytes: number, availableBytes: number): void {
  const needed = (nodes - 1) * processBytes;
  if (needed <= availableBytes) return;
  const possible = 1 + Math.floor(availableBytes / processBytes);
  throw new ConfigError(
    `Option "nodes": ${nodes} processes of about ${formatBytes(processBytes)} each need ${formatBytes(needed)} more, and this machine has ${formatBytes(availableBytes)}. Use nodes=${possible} or fewer, or mode=simulated, where nodes share one process.`,
  );
}

/** For runs whose processes are all to be started here. @throws ConfigError if not even small ones have room */
export function refuseWithoutRoom({ mode, nodes }: RunConfig, terminal: Terminal): void {
  if (mode === "processes") refuseTooMany(nodes, LEAST_PROCESS_BYTES, terminal.availableMemoryBytes());
}
