import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadedBy } from "../test/loadedBy.ts";

/** The packages that a module loads. */
function packagesLoadedBy(module: string): ReadonlySet<string> {
  const name = /\/(?:packages\/([^/]+)|node_modules\/((?:@[^/]+\/)?[^/]+))\//;
  return new Set(loadedBy(module).flatMap((url) => name.exec(url)?.slice(1).find(Boolean) ?? []));
}

test("what a worker thread loads is arithmetic and the runtime: no network, no compiler, no schemas", () => {
  const module = fileURLToPath(new URL("./trainingSession.ts", import.meta.url));
  expect([...packagesLoadedBy(module)].sort()).toEqual([
    "comm",
    "core",
    "onnxruntime-common",
    "onnxruntime-node",
    "tensor",
    "train",
  ]);
});
