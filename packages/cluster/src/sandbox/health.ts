// Waiting until nodes can be used: their health check says so, no clock does.

import { setTimeout as sleep } from "node:timers/promises";
import { InterruptedError, RunError } from "@atoll/core";
import type { Engine, RunOptions } from "./engine.ts";
import { conditionOf, getSandbox, listSandboxes, type Sandbox, type SandboxNode } from "./inspect.ts";

/** A guard against an engine that never checks; a node needs a second or two on an idle machine. */
const TIMEOUT_MS = 180_000;
const POLL_MS = 200;

/** @throws RunError if a node ends or is unhealthy, with the end of its log. */
export async function waitUntilHealthy(
  engine: Engine,
  name: string,
  { signal }: RunOptions = {},
): Promise<Sandbox> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  // What the engine is asked takes a moment, and is not interrupted: the pause is.
  for (;;) {
    await checkByHand(engine, [await getSandbox(engine, name)]);
    const sandbox = await getSandbox(engine, name);
    if (sandbox.nodes.every((node) => conditionOf(node) === "healthy")) return sandbox;
    const bad = sandbox.nodes.find(({ state, health }) => state !== "running" || health === "unhealthy");
    if (bad) throw new RunError(await troubleOf(engine, bad));
    const late = sandbox.nodes.find((node) => conditionOf(node) !== "healthy")!;
    if (limit.aborted)
      throw new RunError(
        `${late.container} is not healthy after ${TIMEOUT_MS / 1000} s: see ${engine.name} logs ${late.container}.`,
      );
    await sleep(POLL_MS, undefined, { signal }).catch((cause: unknown) => {
      throw new InterruptedError("Interrupted: wait until the nodes are healthy.", cause);
    });
  }
}

/** Podman leaves health checks to systemd's timers, which not every machine has. */
async function checkByHand(
  engine: Engine,
  sandboxes: readonly Sandbox[],
  options: RunOptions = {},
): Promise<void> {
  if (engine.name !== "podman") return;
  const running = sandboxes.flatMap(({ nodes }) => nodes.filter(({ state }) => state === "running"));
  await Promise.all(running.map(({ container }) => engine.try(["healthcheck", "run", container], options)));
}

/** As `listSandboxes`, with the nodes' health as it is now. */
export async function checkSandboxes(
  engine: Engine,
  name?: string,
  options: RunOptions = {},
): Promise<readonly Sandbox[]> {
  const sandboxes = await listSandboxes(engine, name, options);
  if (engine.name === "docker") return sandboxes;
  await checkByHand(engine, sandboxes, options);
  return listSandboxes(engine, name, options);
}

async function troubleOf(engine: Engine, { container, state, health }: SandboxNode): Promise<string> {
  const { stdout, stderr } = await engine.try(["logs", "--tail", "5", container]);
  const log = `${stdout}\n${stderr}`.trim();
  const trouble = state === "running" ? health : state;
  return `${container} is ${trouble}, expected healthy. ${log === "" ? "Its log is empty." : `The end of its log:\n${log}`}`;
}
