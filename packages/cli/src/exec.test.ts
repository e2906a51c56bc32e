// How programs end: by themselves, by a signal, not at all, or not in time.

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ExecOutcome, exec } from "./exec.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-exec-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Runs a shell script as the program `fake` of a PATH of its own. */
async function runFake(script: string, { timeoutMs = 60_000, mode = 0o755 } = {}): Promise<ExecOutcome> {
  await writeFile(join(directory, "fake"), `#!/bin/sh\n${script}\n`);
  await chmod(join(directory, "fake"), mode);
  return exec("fake", ["a b", "$c"], { environment: { PATH: directory }, timeoutMs });
}

test("output is standard output, else standard error; arguments are no shell's", async () => {
  expect(await runFake('echo " $1|$2 "; echo noise >&2')).toEqual({
    kind: "exited",
    code: 0,
    output: "a b|$c",
  });
  expect(await runFake("echo trouble >&2; exit 3")).toEqual({ kind: "exited", code: 3, output: "trouble" });
  expect(await runFake("exit 0")).toEqual({ kind: "exited", code: 0, output: "" });
});

test("more output than anyone reads is no trouble", async () => {
  const outcome = await runFake(
    "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done",
  );
  expect(outcome).toMatchObject({ kind: "exited", code: 0, output: expect.stringMatching(/^x/) });
});

test("one that is not there, may not be run, or is ended by a signal", async () => {
  const options = { environment: { PATH: directory }, timeoutMs: 60_000 };
  expect(await exec("nothing", [], options)).toEqual({ kind: "missing" });
  expect(await runFake("exit 0", { mode: 0o644 })).toEqual({
    kind: "failed",
    message: expect.stringContaining("EACCES"),
  });
  expect(await runFake("kill -9 $$")).toEqual({ kind: "killed", signal: "SIGKILL" });
});

test("one that takes too long is ended with all that it started", async () => {
  const pid = join(directory, "pid");
  const outcome = await runFake(`/bin/sleep 600 & echo $! > ${pid}.part; /bin/mv ${pid}.part ${pid}; wait`, {
    timeoutMs: 500,
  });
  expect(outcome).toEqual({ kind: "timedOut", afterMs: 500 });
});
