// The nodes' logs: what their ssh servers say, and the output of every job that was launched on them.

import type { OutputStream } from "../exec/exec.ts";
import type { Engine, RunOptions } from "./engine.ts";
import type { SandboxNode } from "./inspect.ts";

export interface LogsOptions extends RunOptions {
  /** Goes on with what comes, until the nodes end or the signal comes. */
  readonly follow: boolean;
  /** Only the last lines of each node. */
  readonly tail?: number | undefined;
  readonly onLines: (node: SandboxNode, lines: readonly string[], stream: OutputStream) => void;
}

/** One node after the other; all at once when they are followed. */
export async function readLogs(
  engine: Engine,
  nodes: readonly SandboxNode[],
  { follow, tail, onLines, signal }: LogsOptions,
): Promise<void> {
  const read = async (node: SandboxNode): Promise<void> => {
    const flags = [...(follow ? ["--follow"] : []), ...(tail === undefined ? [] : ["--tail", String(tail)])];
    const { outcome } = engine.exec(engine.name, ["logs", ...flags, node.container], {
      environment: engine.environment,
      onLines: (lines, stream) => onLines(node, lines, stream),
      ...(signal === undefined ? {} : { signal }),
    });
    await outcome;
  };
  if (follow) await Promise.all(nodes.map(read));
  else for (const node of nodes) await read(node);
}
