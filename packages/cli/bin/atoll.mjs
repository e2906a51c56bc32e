#!/usr/bin/env node
// The atoll command. Plain JavaScript, which imports nothing before it knows the version, so that an older Node can still say
// what is wrong.

const GRACE_MS = 1000;

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    `atoll: expected Node 24 or newer, got ${process.version}. Run it as "npx atoll" inside the project, which uses the pinned Node.\n`,
  );
  process.exit(1);
}
const { enableCompileCache } = await import("node:module");
enableCompileCache();
const [{ main }, { processTerminal }] = await Promise.all([
  import("../src/main.ts"),
  import("../src/processTerminal.ts"),
]);
process.exitCode = await main(process.argv.slice(2), processTerminal());
// All is done by now, and what has been given up (a tracker whose directory never answers) is waited for no longer.
setTimeout(() => process.exit(), GRACE_MS).unref();
