// What the docker launcher makes of a sandbox's nodes and of an engine's last words; that ranks run in containers is in
// conformance.test.ts, on a real engine.

import { ConfigError } from "@atoll/core";
import { expect, test } from "vitest";
import type { ContainerHost } from "../containerHost.ts";
import { exec } from "../exec/exec.ts";
import type { JobEvent } from "../launcher.ts";
import { dockerLauncher } from "./docker.ts";

/** Two nodes that a shell script of this machine stands for. */
const hostOf = (script: string): ContainerHost => ({
  description: 'sandbox "two"',
  containers: async () =>
    [0, 1].map((rank) => ({ id: `c${rank}`, hostName: `two-${rank}`, address: `10.0.0.${rank}`, gpus: 1 })),
  execArgv: ({ id }) => ["/bin/sh", "-c", script, id],
  atoll: ["atoll"],
});
const job = { runId: "run", token: "token", masterPort: 29_500, graceMs: 300 } as const;
const environment = process.env;

test("ranks are told the nodes' names and addresses", async () => {
  const launcher = dockerLauncher({ exec, host: hostOf('exec "$@"'), environment });
  const script = 'echo "$MASTER_ADDR" $SKYPILOT_NODE_IPS $SKYPILOT_NUM_GPUS_PER_NODE';
  const running = await launcher.launch({ ...job, command: ["sh", "-c", script] });
  const lines: string[] = [];
  for await (const batch of running.logs()) lines.push(...batch.map(({ text }) => text));
  expect(lines).toEqual(Array(2).fill("two-0 10.0.0.0 10.0.0.1 1"));
  expect(await running.wait()).toEqual({ kind: "exited", code: 0 });
});

test("more nodes than the sandbox has are refused", async () => {
  const launched = dockerLauncher({ exec, host: hostOf("exit 0"), environment, nodes: 3 }).launch({
    ...job,
    command: ["true"],
  });
  await expect(launched).rejects.toThrow(ConfigError);
  await expect(launched).rejects.toThrow(
    'Expected at most 2 nodes, which sandbox "two" has, got 3. Set it up again with --nodes 3.',
  );
});

test("a container that does not run is said in the engine's words", async () => {
  const host = hostOf('echo "Error response from daemon: Container $0 is not running" >&2; exit 1');
  const running = await dockerLauncher({ exec, host, environment, nodes: 1 }).launch({
    ...job,
    command: ["true"],
  });
  const events: JobEvent[] = [];
  for await (const event of running.events()) events.push(event);
  expect(events).toEqual([{ kind: "rankEnded", rank: 0, host: "two-0", reason: await running.wait() }]);
  expect(await running.wait()).toEqual({
    kind: "lost",
    cause:
      "/bin/sh exec ended with code 1 and says: Error response from daemon: Container c0 is not running; the container may have stopped: npx atoll sandbox status",
  });
});
