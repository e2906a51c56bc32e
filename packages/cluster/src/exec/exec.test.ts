// How programs end: by themselves, by a signal, not at all, not in time; and what becomes of what they print and start.

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bytesInUse } from "../test/memory.ts";
import { ended } from "../test/processes.ts";
import { type Captured, capture } from "./capture.ts";
import { type ExecOptions, exec } from "./exec.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-exec-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

interface FakeOptions extends Omit<ExecOptions, "environment"> {
  readonly mode?: number;
}

/** Runs a shell script as the program `fake` of a PATH of its own. */
async function runFake(script: string, { mode = 0o755, ...options }: FakeOptions = {}): Promise<Captured> {
  await writeFile(join(directory, "fake"), `#!/bin/sh\n${script}\n`);
  await chmod(join(directory, "fake"), mode);
  return capture(exec, "fake", ["a b", "$c"], { environment: { PATH: directory }, ...options });
}

test("arguments are no shell's, and both streams are kept apart", async () => {
  expect(await runFake('echo "$1|$2"; echo noise >&2; exit 3')).toEqual({
    outcome: { kind: "exited", code: 3 },
    stdout: "a b|$c",
    stderr: "noise",
  });
});

test("one that is not there, may not be run, has no place to run, or is ended by a signal", async () => {
  const options = { environment: { PATH: directory } };
  expect(await exec("nothing", [], options).outcome).toEqual({ kind: "missing" });
  expect((await runFake("exit 0", { mode: 0o644 })).outcome).toEqual({
    kind: "failed",
    message: expect.stringContaining("EACCES"),
  });
  expect((await runFake("exit 0", { workingDirectory: join(directory, "nowhere") })).outcome).toEqual({
    kind: "failed",
    message: expect.stringContaining("nowhere"),
  });
  expect((await runFake("kill -9 $$")).outcome).toEqual({ kind: "killed", signal: "SIGKILL" });
});

test("one that takes too long is ended with all that it started", async () => {
  const { outcome, stdout } = await runFake("/bin/sleep 600 & echo $!; wait", { timeoutMs: 500 });
  expect(outcome).toEqual({ kind: "timedOut", afterMs: 500 });
  await ended(Number(stdout));
});

test("cancelled, one that ignores SIGTERM is killed after the grace", async () => {
  const cancel = new AbortController();
  const { outcome } = exec("/bin/sh", ["-c", 'trap "" TERM; echo ready; while :; do sleep 600; done'], {
    environment: { PATH: process.env.PATH },
    onLines: () => cancel.abort(),
    signal: cancel.signal,
    graceMs: 50,
  });
  expect(await outcome).toEqual({ kind: "cancelled" });
});

test("what it leaves behind ends with it, and one that left its group does not hold its output open", async () => {
  const script = `PATH=/usr/bin:/bin
sleep 600 & echo $!
setsid sh -c 'echo $$ > outside.part; mv outside.part outside; exec sleep 600' &
until [ -e outside ]; do sleep 0.02; done
cat outside`;
  const { outcome, stdout } = await runFake(script, { workingDirectory: directory });
  expect(outcome).toEqual({ kind: "exited", code: 0 });
  const [inGroup, outside] = stdout.split("\n").map(Number);
  await ended(inGroup!);
  process.kill(outside!);
});

test("held input goes to it until it is ended", async () => {
  const lines: string[] = [];
  const { input, outcome } = exec("cat", [], {
    environment: { PATH: process.env.PATH },
    input: "held",
    onLines: (batch) => {
      lines.push(...batch);
      input?.end("two");
    },
  });
  input?.write("one\n");
  expect(await outcome).toEqual({ kind: "exited", code: 0 });
  expect(lines).toEqual(["one", "two"]);
});

test("100 MB pass through while memory stays, at the pace of a slow reader", async () => {
  const size = 100 * 1024 * 1024;
  const before = bytesInUse();
  let characters = 0;
  let batches = 0;
  const { outcome } = exec(
    "sh",
    ["-c", `yes 'a line of some length, as programs print them' | head -c ${size}`],
    {
      environment: { PATH: process.env.PATH },
      onLines: async (lines) => {
        for (const line of lines) characters += line.length + 1;
        if (++batches % 300 !== 0) return;
        await sleep(20);
        expect(bytesInUse() - before).toBeLessThan(40e6);
      },
    },
  );
  expect(await outcome).toEqual({ kind: "exited", code: 0 });
  expect(Math.abs(characters - size)).toBeLessThanOrEqual(1);
  expect(batches).toBeGreaterThan(300);
});

test("a program that does not read what it is given is no trouble", async () => {
  const { input, outcome } = exec("true", [], { environment: { PATH: process.env.PATH }, input: "held" });
  input?.write("x".repeat(1 << 20));
  expect(await outcome).toEqual({ kind: "exited", code: 0 });
});
