import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** The files that a module loads, itself included, as a process of its own finds them. */
function loadedBy(module: string): readonly string[] {
  const script = `
    const { registerHooks } = await import("node:module");
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    await import(${JSON.stringify(module)});
    console.log(JSON.stringify(loaded));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  return JSON.parse(output) as readonly string[];
}

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
