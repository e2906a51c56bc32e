// Leases of a port where the engine's client answers late, or never; what a real one answers is tested with the sandbox.

import { InterruptedError } from "@atoll/core";
import { expect, test } from "vitest";
import { type Exec, type Execution, exec } from "../exec/exec.ts";
import type { Engine } from "./engine.ts";
import { leasePort } from "./portLease.ts";

/** An engine whose client does what a script says, and what was started of it. */
function clientOf(script: string): { readonly engine: Engine; readonly started: Execution[] } {
  const started: Execution[] = [];
  const stand: Exec = (_, __, options) => {
    const execution = exec("sh", ["-c", script], options);
    started.push(execution);
    return execution;
  };
  const engine = { name: "docker", environment: process.env, exec: stand } as unknown as Engine;
  return { engine, started };
}

test("an interrupt ends the wait for a client that does not answer, and the client", async () => {
  const { engine, started } = clientOf("sleep 1000");
  const interrupt = new AbortController();
  const lease = leasePort(engine, "node", { signal: interrupt.signal });
  interrupt.abort();
  await expect(lease).rejects.toThrow(new InterruptedError("Interrupted: find a free port."));
  expect(await started[0]!.outcome).toEqual({ kind: "cancelled" });
});

test("an interrupt that has come already starts none", async () => {
  const { engine, started } = clientOf("sleep 1000");
  await expect(leasePort(engine, "node", { signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
  expect(started).toEqual([]);
});

test("a lease outlasts an interrupt, and ends when it is given back", async () => {
  const { engine, started } = clientOf("echo 29501; exec cat");
  const interrupt = new AbortController();
  const lease = await leasePort(engine, "node", { signal: interrupt.signal });
  expect(lease.port).toBe(29501);
  interrupt.abort();
  await lease[Symbol.asyncDispose]();
  expect(await started[0]!.outcome, "its input has ended, nothing has killed it").toEqual({
    kind: "exited",
    code: 0,
  });
});
