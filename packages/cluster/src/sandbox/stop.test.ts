// What is taken away of a sandbox beside what the engine has: its secrets, wherever whoever made it kept its state. Real
// sandboxes are stopped in sandbox.test.ts.

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Engine } from "./engine.ts";
import { removeSandbox } from "./stop.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-stop-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** An engine with one network, which it describes so. */
function engineWith(network: object): Engine {
  const answers: Readonly<Record<string, string>> = {
    "network ls": "abc",
    "network inspect": JSON.stringify([network]),
  };
  return {
    name: "docker",
    run: async (_: string, [noun, verb]: readonly string[]) => answers[`${noun} ${verb}`] ?? "",
    try: async () => ({ outcome: { kind: "exited", code: 0 }, stdout: "", stderr: "" }),
  } as unknown as Engine;
}

/** Keys and credentials of a sandbox in a directory for state, and of another one that stays. */
async function secretsIn(state: string): Promise<void> {
  for (const path of ["sandboxes/mine", "credentials/mine", "sandboxes/other"]) {
    await mkdir(join(state, path), { recursive: true });
    await writeFile(join(state, path, "id_ed25519"), "");
  }
}

test.each([
  ["docker", (state: string) => ({ Labels: { "atoll.state": state } })],
  ["podman", (state: string) => ({ labels: { "atoll.state": state } })],
])(
  "keys and credentials go from where setup has put them, as %s knows it, and from here",
  async (_, network) => {
    const [here, there] = [join(directory, "here"), join(directory, "there")];
    for (const state of [here, there]) await secretsIn(state);
    const removed = await removeSandbox(engineWith(network(there)), "mine", {
      stateDirectory: here,
      volumes: false,
    });
    expect(removed.secrets).toEqual([]);
    for (const state of [here, there]) {
      expect(existsSync(join(state, "sandboxes", "mine"))).toBe(false);
      expect(existsSync(join(state, "credentials", "mine"))).toBe(false);
      expect(existsSync(join(state, "sandboxes", "other", "id_ed25519"))).toBe(true);
    }
  },
);

test("networks of an earlier version, which do not say where, are no hindrance", async () => {
  await secretsIn(directory);
  for (const network of [{}, { Labels: null }, { Labels: { "atoll.sandbox": "mine" } }])
    await removeSandbox(engineWith(network), "mine", { stateDirectory: directory, volumes: false });
  expect(existsSync(join(directory, "sandboxes", "mine"))).toBe(false);
});

test("what cannot be removed is told, and nothing else stays for it", async () => {
  await secretsIn(directory);
  const barred = join(directory, "file");
  await writeFile(barred, "");
  const { secrets } = await removeSandbox(engineWith({ Labels: { "atoll.state": barred } }), "mine", {
    stateDirectory: directory,
    volumes: false,
  });
  expect(secrets).toEqual([join(barred, "sandboxes", "mine"), join(barred, "credentials", "mine")]);
  expect(existsSync(join(directory, "credentials", "mine"))).toBe(false);
});
