// What of this machine gets into images and nodes, and what does not: sources and credentials that were asked for do, secrets
// that lie about in a clone do not; and which images stay when the code changes.

import { existsSync } from "node:fs";
import { appendFile, cp, mkdir, readdir, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineOrSkip, here, onNode, type TestSandboxes, testSandboxes } from "../test/sandboxes.ts";
import type { Engine } from "./engine.ts";
import type { Sandbox } from "./inspect.ts";
import { type SetupOptions, setUpSandbox } from "./setup.ts";
import { removeSandbox } from "./stop.ts";

const LONG = 600_000;
const real = fileURLToPath(new URL("../../../..", import.meta.url)).replace(/\/$/, "");
const MARKER = `planted-${process.pid}`;
/** Secrets and results, as they lie about in clones. */
const PLANTED = [
  ...[".env", ".npmrc", ".git/config", "id_rsa", "secrets/token", "runs/a/events.jsonl", "data.csv"],
  ...[
    "node_modules/x/index.js",
    "packages/cli/.env",
    "packages/cli/password",
    "packages/cli/node_modules/x.js",
  ],
  ...[
    "packages/cli/src/.env.local",
    "packages/cli/src/credentials.json",
    "packages/cli/src/runs/a/config.json",
  ],
  ...["examples/.env", "examples/server.pem", "examples/data.csv", "examples/.aws/credentials"],
  ...["docs/.env", "docker/.env"],
];
const found = await engineOrSkip("what gets into nodes");

describe.skipIf(!found)("of a clone and a home directory", { timeout: LONG }, () => {
  const engine = found as Engine;
  let tests: TestSandboxes;
  let clone: string;
  beforeAll(async () => {
    tests = await testSandboxes(engine);
    clone = join(tests.stateDirectory, "clone");
    await cp(real, clone, {
      recursive: true,
      filter: (path) => !/\/(node_modules|dist|runs|\.git|images)$/.test(path),
    });
    for (const path of PLANTED) {
      await mkdir(dirname(join(clone, path)), { recursive: true });
      await writeFile(join(clone, path), `${MARKER}\n`);
    }
  }, LONG);
  afterAll(async () => {
    await tests[Symbol.asyncDispose]();
  }, LONG);

  const setUp = (suffix: string, changes: Partial<SetupOptions>): Promise<Sandbox> =>
    setUpSandbox(engine, tests.options(suffix, { nodes: 1, clone, ...changes }));
  const remove = ({ name }: Sandbox) =>
    removeSandbox(engine, name, { stateDirectory: tests.stateDirectory, volumes: true });
  const on = ({ nodes }: Sandbox, command: string) => onNode(engine, nodes[0]!.container, command);
  const planted = async (sandbox: Sandbox): Promise<string> =>
    (await on(sandbox, `grep -rlsF ${MARKER} /atoll /data /home /run /tmp /opt`)).output;

  test("images have no secret of the clone", async () => {
    const baked = await setUp("baked", { code: "bake" });
    expect(await planted(baked)).toBe("");
    expect((await on(baked, "atoll --version && ls packages/cli/src/main.ts")).code).toBe(0);
    expect((await on(baked, "ls examples/three-nodes")).output).toBe(
      "README.md\nhosts.txt\nrun.sh\ntrain.sh",
    );
    await remove(baked);
  });

  test("nodes that see the code as it changes see no secret of the clone, and setup says what they do not see", async () => {
    const said: string[] = [];
    const mounted = await setUp("mounted", { code: "mount", warn: (text) => void said.push(text) });
    expect(await planted(mounted)).toBe("");
    await writeFile(join(clone, "packages", "cli", "src", "isNew.ts"), "");
    expect((await on(mounted, "ls packages/cli/src/isNew.ts")).code).toBe(0);
    expect((await on(mounted, "touch packages/cli/src/x")).output).toMatch(/Read-only file system/);
    expect((await on(mounted, "ls -A packages/cli/src/runs")).output).toBe("");
    expect(said.join("\n")).toMatch(
      /and not examples\/\.aws, examples\/\.env, examples\/data\.csv, examples\/server\.pem, packages\/cli\/src\/\.env\.local, packages\/cli\/src\/credentials\.json, packages\/cli\/src\/runs\.$/m,
    );
    await remove(mounted);
  });

  test("images have every source that is kept in git: a new kind of file has to be let in", async (context) => {
    const tracked = await here("git", ["-C", real, "ls-files"]);
    if (tracked.code !== 0) context.skip("this clone has no git");
    const tag = `atoll/sources:${process.pid}`;
    const argv = ["--file", join(real, "docker", "Dockerfile"), "--target", "sources", "--tag", tag];
    const base = process.env.ATOLL_BASE_IMAGE;
    const flags = base === undefined ? [] : ["--build-arg", `BASE_IMAGE=${base}`];
    await engine.run("build the sources", ["build", ...argv, ...flags, real]);
    try {
      const list = ["run", "--rm", "--network", "none", tag, "find", ".", "-type", "f", "-printf", "%P\\n"];
      const files = (await engine.run("list the sources", list)).split("\n");
      const kept = /^(\.ci\/|\.dockerignore$|\.npmrc$|docs\/images\/)/;
      const expected = tracked.output
        .split("\n")
        .filter((path) => !kept.test(path) && existsSync(join(real, path)));
      expect(expected.filter((path) => !files.includes(path))).toEqual([]);
    } finally {
      await engine.try(["image", "rm", tag]);
    }
  });

  test("when the code changes, the images before are removed, as soon as no sandbox needs them", async () => {
    const source = join(clone, "packages", "cli", "src", "main.ts");
    const idOf = async ({ image }: Sandbox): Promise<string> =>
      (await engine.run("ask", ["image", "inspect", "--format", "{{.Id}}", image])).trim();
    const isThere = async (id: string): Promise<boolean> =>
      (await here(engine.name, ["image", "inspect", id])).code === 0;
    const nameless = async (): Promise<readonly string[]> => {
      const filters = ["--filter", "dangling=true", "--filter", "label=atoll.image=sources"];
      return (await engine.run("list images", ["images", "--quiet", "--no-trunc", ...filters])).split("\n");
    };
    const first = await setUp("first", { code: "bake" });
    const firstId = await idOf(first);
    await remove(first);
    await appendFile(source, "// changed\n");
    const before = await nameless();
    const second = await setUp("second", { code: "bake" });
    const secondId = await idOf(second);
    expect(secondId).not.toBe(firstId);
    expect(await isThere(firstId)).toBe(false);
    const made = (await nameless()).filter((id) => !before.includes(id));
    await appendFile(source, "// changed again\n");
    const third = await setUp("third", { code: "bake" });
    expect(await isThere(secondId)).toBe(true);
    expect((await nameless()).filter((id) => made.includes(id))).toEqual([]);
    await remove(second);
    expect(await isThere(secondId)).toBe(false);
    expect((await on(third, "tail -n 1 packages/cli/src/main.ts")).output).toBe("// changed again");
    await remove(third);
  });

  describe("credentials", () => {
    const home = (): string => join(tests.stateDirectory, "home");
    const copies = (): string => join(tests.stateDirectory, "credentials");
    /** Owner and mode of everything there. */
    const state = async (): Promise<readonly string[]> => {
      const paths = (await readdir(home(), { recursive: true })).sort();
      const facts = paths.map(async (path) => {
        const { mode, uid } = await stat(join(home(), path));
        return `${path} ${uid} ${mode.toString(8)}`;
      });
      return Promise.all(facts);
    };
    beforeAll(async () => {
      await mkdir(join(home(), ".aws"), { recursive: true, mode: 0o700 });
      await mkdir(join(home(), ".config", "gh"), { recursive: true, mode: 0o700 });
      await writeFile(join(home(), ".aws", "credentials"), "key\n", { mode: 0o600 });
      await writeFile(join(home(), ".config", "gh", "hosts.yml"), "token\n", { mode: 0o400 });
      await writeFile(join(home(), "netrc"), "machine\n", { mode: 0o600 });
      await symlink("netrc", join(home(), ".netrc"));
      await symlink("gh/hosts.yml", join(home(), ".config", "link"));
    });

    test("that only their owner may read are read on the nodes, cannot be changed, and leave nothing behind", async () => {
      const socket = createServer();
      await new Promise<void>((resolve) => socket.listen(join(home(), ".config", "agent"), resolve));
      const before = await state();
      try {
        const secret = await setUp("secret", { nodes: 2, credentialsFrom: home() });
        for (const { container } of secret.nodes) {
          const { output } = await onNode(
            engine,
            container,
            "cd; cat .aws/credentials .netrc .config/gh/hosts.yml .config/link; ls -A; echo x >.netrc; rm -f .aws/credentials",
          );
          expect(output).toMatch(/^key\nmachine\ntoken\ntoken\n/);
          expect(output).not.toMatch(/\.metta|\.ssh$/m);
          expect(output.match(/Read-only file system/g)).toHaveLength(2);
        }
        expect((await stat(copies()).catch(() => undefined))?.mode.toString(8) ?? "40700").toBe("40700");
        await remove(secret);
        expect(await state()).toEqual(before);
        expect(await readdir(copies()).catch(() => [])).toEqual([]);
      } finally {
        await new Promise((resolve) => socket.close(resolve));
      }
    });

    test("that failed on the way leave no copy either", async () => {
      await expect(setUp("failed", { credentialsFrom: home(), gpus: "all" })).rejects.toThrow(/GPUs/);
      expect(await readdir(copies()).catch(() => [])).toEqual([]);
    });

    test("of root that are too large to be copied are said to stay unreadable", async (context) => {
      if (process.getuid?.() !== 0) context.skip("takes root");
      const large = join(home(), ".config", "profile");
      await writeFile(large, "");
      await truncate(large, 200e6);
      const said: string[] = [];
      const warn = (text: string): void => void said.push(text);
      const sandbox = await setUp("large", { credentialsFrom: home(), warn });
      expect(said.join("\n")).toMatch(
        /\.config has 200 MB or more, too much to be copied for the nodes' user: /,
      );
      expect((await on(sandbox, "cat ~/.config/gh/hosts.yml")).output).toMatch(/Permission denied/);
      expect((await on(sandbox, "cat ~/.aws/credentials")).output).toBe("key");
      await remove(sandbox);
    });
  });
});
