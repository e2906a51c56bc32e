import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { loadedBy } from "@atoll/train/test/loadedBy";
import { expect, test } from "vitest";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

test("a simulated training begins without what processes, reports and other commands need", () => {
  const loaded = loadedBy(here("./training.ts"));
  expect(
    loaded.filter((url) => /\/packages\/(comm\/src\/node|train\/src\/node\/processes|study)\//.test(url)),
  ).toEqual([]);
});

test("the train command itself is little more than the start of its threads", () => {
  const packages = loadedBy(here("./commands/train.ts")).map(
    (url) => /\/(packages\/[^/]+|node_modules\/[^/]+)\//.exec(url)?.[1],
  );
  expect([...new Set(packages.filter((name) => name !== undefined))].sort()).toEqual([
    "packages/cli",
    "packages/core",
    "packages/tensor",
    "packages/train",
  ]);
});

test("an older Node says what is wrong, whatever its own modules lack", () => {
  const older = `
    import { registerHooks } from "node:module";
    registerHooks({
      resolve: (name, context, next) =>
        context.parentURL?.endsWith("/bin/atoll.mjs") && name.startsWith("node:")
          ? { url: "data:text/javascript,", shortCircuit: true }
          : next(name, context),
    });
    const { versions } = process;
    Object.defineProperty(process, "version", { value: "v20.9.0" });
    Object.defineProperty(process, "versions", { value: { ...versions, node: "20.9.0" } });`;
  const args = ["--import", `data:text/javascript,${encodeURIComponent(older)}`, here("../bin/atoll.mjs")];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toMatch(/^atoll: expected Node 24 or newer, got v20\.9\.0\. Run it as .*\n$/);
  expect(status).toBe(1);
});

test("what never answers does not keep the command from ending once all is done", () => {
  const hanging = "data:text/javascript,setInterval(() => undefined, 1000)";
  const args = ["--import", hanging, here("../bin/atoll.mjs"), "--version"];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 30_000 });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
