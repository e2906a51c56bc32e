// `make bench`: every benchmark, one after the other, each in a process of its own.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const scripts = [
  "mainJob.ts",
  "smallCnn.ts",
  "strategies.ts",
  "updateModes.ts",
  "sockets.ts",
  ...["engine", "network"].flatMap((folder) => {
    const path = join(here, folder);
    return existsSync(path)
      ? readdirSync(path)
          .filter((name) => name.endsWith(".ts"))
          .map((name) => join(folder, name))
      : [];
  }),
];
const wanted = process.argv.slice(2);
for (const script of scripts.filter(
  (name) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
)) {
  console.log(`\n# ${script}`);
  const { status } = spawnSync(process.execPath, [join(here, script)], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
