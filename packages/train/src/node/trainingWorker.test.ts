import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** The packages that a module loads, itself included, as a process of its own finds them. */
function packagesLoadedBy(module: string): ReadonlySet<string> {
  const script = `
    const { registerHooks } = await import("node:module");
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    await import(${JSON.stringify(module)});
    console.log(JSON.stringify(loaded));`;
  const urls = JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" }),
  ) as readonly string[];
  const name = /\/(?:packages\/([^/]+)|node_modules\/((?:@[^/]+\/)?[^/]+))\//;
  return new Set(urls.flatMap((url) => name.exec(url)?.slice(1).find(Boolean) ?? []));
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
