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
