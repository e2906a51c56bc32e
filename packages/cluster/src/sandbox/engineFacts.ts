// What differs between engines, asked of the one that is used.

import { z } from "zod";
import type { Engine, RunOptions } from "./engine.ts";

export interface EngineFacts {
  /** Of the machine that the engine runs on. */
  readonly memoryBytes: number;
  /** For every container that has directories of this machine mounted. */
  readonly runFlags: readonly string[];
  /** How often health is checked. */
  readonly healthFlags: readonly string[];
  /** Whether the engine says that it can pass GPUs through. */
  readonly gpus: boolean;
  readonly gpuFlags: readonly string[];
}

const dockerInfo = z.object({
  MemTotal: z.number(),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  ServerVersion: z.string(),
});
const podmanInfo = z.object({
  host: z.object({ memTotal: z.number(), security: z.object({ rootless: z.boolean() }) }),
});

/** The engine that checks more often while a container starts, and seldom after that. */
const START_INTERVAL_SINCE = 25;

export async function engineFacts(engine: Engine, options: RunOptions): Promise<EngineFacts> {
  const json: unknown = JSON.parse(
    await engine.run("ask the engine", ["info", "--format", "{{json .}}"], options),
  );
  if (engine.name === "podman") {
    const { host } = podmanInfo.parse(json);
    return {
      memoryBytes: host.memTotal,
      // Without root, the user's own number is another one inside unless it is asked to be kept.
      runFlags: host.security.rootless ? ["--userns", "keep-id"] : [],
      healthFlags: [],
      gpus: false,
      gpuFlags: ["--device", "nvidia.com/gpu=all"],
    };
  }
  const { MemTotal, Runtimes, ServerVersion } = dockerInfo.parse(json);
  return {
    memoryBytes: MemTotal,
    runFlags: [],
    healthFlags:
      Number.parseInt(ServerVersion, 10) >= START_INTERVAL_SINCE
        ? ["--health-interval", "30s", "--health-start-interval", "500ms", "--health-start-period", "30s"]
        : [],
    gpus: Object.keys(Runtimes ?? {}).includes("nvidia"),
    gpuFlags: ["--gpus", "all"],
  };
}
