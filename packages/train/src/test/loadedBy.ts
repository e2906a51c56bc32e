// What a module brings with it.

import { execFileSync } from "node:child_process";

/** The addresses of the files that a module loads, itself included, as a process of its own finds them. */
export function loadedBy(module: string): readonly string[] {
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
