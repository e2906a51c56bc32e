// Starts all nodes anew, stopped ones and those that were taken off their network, too; what ran on them ends.

import type { Engine, RunOptions } from "./engine.ts";
import { waitUntilHealthy } from "./health.ts";
import { conditionOf, getSandbox, type Sandbox } from "./inspect.ts";
import { aliasesOf, networkName } from "./names.ts";

export async function restartSandbox(engine: Engine, name: string, options?: RunOptions): Promise<Sandbox> {
  const { nodes } = await getSandbox(engine, name, options);
  const containers = nodes.map(({ container }) => container);
  await engine.run("restart the nodes", ["restart", "--time", "5", ...containers], options);
  const restarted = await getSandbox(engine, name, options);
  for (const node of restarted.nodes) {
    if (conditionOf(node) !== "disconnected") continue;
    const aliases = aliasesOf(node.rank).flatMap((alias) => ["--alias", alias]);
    const connect = ["network", "connect", ...aliases, networkName(name), node.container];
    await engine.run(`connect ${node.container} to the network again`, connect, options);
  }
  return waitUntilHealthy(engine, name, options);
}
