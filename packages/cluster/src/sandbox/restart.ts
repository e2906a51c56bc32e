// Starts all nodes anew, stopped ones too; what ran on them ends.

import type { Engine, RunOptions } from "./engine.ts";
import { waitUntilHealthy } from "./health.ts";
import { getSandbox, type Sandbox } from "./inspect.ts";

export async function restartSandbox(engine: Engine, name: string, options?: RunOptions): Promise<Sandbox> {
  const { nodes } = await getSandbox(engine, name, options);
  const containers = nodes.map(({ container }) => container);
  await engine.run("restart the nodes", ["restart", "--time", "5", ...containers], options);
  return waitUntilHealthy(engine, name, options);
}
