// atoll launch on this machine: what is printed, the exit code, and what is wrong with a command line. The launchers'
// own promises are in packages/cluster/src/launchers/conformance.test.ts.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CommandOptions, type CommandResult, runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-launch-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** No container engine is on this PATH. */
const environment = { PATH: "/usr/bin:/bin", DOCKER_HOST: "unix:///nowhere", ATOLL_DATA: "data" };

const launch = (argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
  runCommand(["launch", "--on", "local", ...argv], directory, { environment, ...options });

const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

test("output has the rank before each line, in its stream, and says where it is", async () => {
  const script = 'echo "one of $WORLD_SIZE"; echo; printf two; echo three >&2';
  const { exitCode, output, error } = await launch(["--nodes", "2", "--", "sh", "-c", script]);
  expect(exitCode).toBe(0);
  for (const rank of [0, 1])
    expect(linesOf(output).filter((line) => line.startsWith(`[${rank}]`))).toEqual(
      ["one of 2", "", "two"].map((text) => `[${rank}] ${text}`),
    );
  const [head, ...others] = linesOf(error);
  expect(head).toMatch(
    /^Launching on 2 processes of this machine(; port 29500 is taken, ranks meet at \d+)?\.$/,
  );
  expect([...others].sort()).toEqual(["[0] three", "[1] three"]);
});

test("the worst exit code, who failed, and who was stopped", async () => {
  const { exitCode, error } = await launch([
    "--nodes=3",
    "--",
    "sh",
    "-c",
    "[ $RANK = 1 ] && exit 5; exec sleep 600",
  ]);
  expect(exitCode).toBe(5);
  expect(linesOf(error).slice(1)).toEqual([
    "atoll: rank 1 on this machine ended with code 5.",
    "atoll: ranks 0, 2 stopped for that.",
  ]);
});

test("a program's own flags are its own", async () => {
  const { exitCode, output } = await launch([
    "--nodes",
    "1",
    "--",
    "sh",
    "-c",
    'echo "$@"',
    "sh",
    "--help",
    "--nodes=9",
    "--",
  ]);
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: "[0] --help --nodes=9 --\n" });
});

test("an atoll command is the nodes' own atoll, and flags may stand behind it", async () => {
  const { exitCode, output } = await launch(["doctor", "--json", "--nodes", "2"]);
  expect(exitCode).toBe(0);
  expect(
    linesOf(output)
      .map((line) => line.slice(0, 14))
      .sort(),
  ).toEqual(['[0] {"atoll":"', '[1] {"atoll":"']);
});

test("the working directory", async () => {
  const { output } = await launch(["--nodes", "1", "--dir", "/usr", "--", "pwd"]);
  expect(output).toBe("[0] /usr\n");
  expect((await launch(["--nodes", "1", "--", "pwd"])).output).toBe(`[0] ${directory}\n`);
});

test("interrupted, all ranks are stopped", async () => {
  const interrupt = new AbortController();
  const { exitCode } = await launch(["--nodes", "2", "--", "sh", "-c", "echo ready >&2; exec sleep 600"], {
    signal: interrupt.signal,
    watch: (text) => text.includes("ready") && interrupt.abort(),
  });
  expect(exitCode).toBe(130);
});

test("interrupted, it says what it does, and so does each rank that trains", async () => {
  // Far longer than the test, and its first line comes after a twentieth.
  const run = "digits maxSteps=4000 trainSize=200 testSize=20 valSize=0 nodes=2".split(" ");
  const child = spawn(process.execPath, [bin, "launch", "--on", "local", "train", ...run], {
    cwd: directory,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let error = "";
  child.stderr.on("data", (chunk: Buffer) => {
    error += chunk;
  });
  while (!/^\[0\] step +\d/m.test(error)) await once(child.stderr, "data");
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([130, null]);
  expect(
    linesOf(error)
      .filter((line) => line.includes("Stopping"))
      .sort(),
  ).toEqual([
    "Stopping all ranks; once more to quit at once.",
    "[0] Stopping where all nodes can.",
    "[1] Stopping where all nodes can.",
  ]);
});

/** The real command, as a process of its own. */
const spawnLaunch = (script: string): ChildProcessByStdio<null, Readable, null> =>
  spawn(
    process.execPath,
    [bin, "launch", "--on", "local", "--nodes", "2", "--grace", "0.3", "--", "sh", "-c", script],
    {
      cwd: directory,
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
const bin = fileURLToPath(new URL("../bin/atoll.mjs", import.meta.url));

async function ended(pid: number): Promise<void> {
  const state = (): Promise<string> => readFile(`/proc/${pid}/status`, "utf8").catch(() => "State: gone");
  while (!/^State:\s*([ZX]|gone)/m.test(await state())) await sleep(20);
}

test("killed, launch leaves no rank behind", async () => {
  const child = spawnLaunch('trap "" TERM; sleep 600 & echo $$ $!; while :; do sleep 600; done');
  let output = "";
  while (linesOf(output).length < 2) output += String((await once(child.stdout, "data"))[0]);
  child.kill("SIGKILL");
  const pids = linesOf(output).flatMap((line) => line.split(" ").slice(1).map(Number));
  expect(pids).toHaveLength(4);
  for (const pid of pids) await ended(pid);
});

test("when the reader goes, ranks that would print for ever are stopped", async () => {
  const child = spawnLaunch("yes $$");
  const closed = once(child, "close");
  const [text] = await once(child.stdout, "data");
  child.stdout.destroy();
  expect(await closed).toEqual([141, null]);
  await ended(Number(/^\[\d\] (\d+)/.exec(String(text))?.[1]));
});

test("a slow reader holds the ranks back, and memory stays", async () => {
  const child = spawnLaunch(
    `[ $RANK = 1 ] || yes 'a line of some length, as programs print them' | head -c ${100e6}`,
  );
  await once(child.stdout, "readable");
  // With nobody reading, what is on the way is bounded: after a while nothing more is taken in.
  let before = -1;
  let most = 0;
  while (most !== before) {
    before = most;
    await sleep(500);
    most = Number(/^VmHWM:\s*(\d+)/m.exec(await readFile(`/proc/${child.pid}/status`, "utf8"))?.[1]) * 1024;
  }
  expect(most).toBeLessThan(190e6);
  let length = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    length += chunk.length;
  });
  expect(await once(child, "close")).toEqual([0, null]);
  expect(length).toBeGreaterThan(100e6);
});

describe("what is refused", () => {
  test.each([
    [["--nodes", "2"], /^atoll: Expected a command to launch, got nothing\. Write it after --/],
    [["--nodes", "2", "--"], /Expected a command to launch, got nothing/],
    [["--nodes", "x", "--", "true"], /Flag "--nodes": expected a whole number of at least 1, got "x"/],
    [["--ndes", "2", "--", "true"], /Unknown flag "--ndes"\. Did you mean "--nodes"\?/],
    [["--", "true"], /Expected a number of nodes, since no sandbox runs here: add --nodes 2/],
    [
      ["--nodes", "2", "--port", "70000", "--", "true"],
      /--port": expected a port from 1 to 65535, got 70000/,
    ],
    [["--nodes", "2", "--name", "a", "--", "true"], /--name is a sandbox's, and the target is this machine/],
    [["--nodes", "2", "train", "digits", "nodes=3"], /--nodes is 2, and the command says nodes=3/],
    [["sweep", "run=a", "trainer.x=1", "--nodes", "2"], /Sweeps are not there yet/],
    [
      ["--on", "slurm", "--", "true"],
      /Unknown place to launch on "slurm"\. Known: docker, local, ssh:hosts\.txt/,
    ],
    [["--on", "ssh", "--", "true"], /expected ssh:FILE with the hosts/],
    [["--on", "local:3", "--", "true"], /expected local alone, got "local:3"/],
    [["--on", "ssh:none.txt", "--", "true"], /Cannot read the hosts file none\.txt: ENOENT/],
    [
      ["--on", "ssh:hosts.txt", "--nodes", "3", "--", "true"],
      /as many nodes as hosts\.txt has hosts, 2, got 3/,
    ],
    [["--on", "ssh:bad.txt", "--", "true"], /bad\.txt:2: .*"slot".*Did you mean "slots"/],
    [["--on", "docker", "--engine", "docker", "--", "true"], /^atoll: No container engine answers/],
  ])("%j", async (argv, message) => {
    await writeFile(join(directory, "hosts.txt"), "a\nb\n");
    await writeFile(join(directory, "bad.txt"), "# mine\na slot=2\n");
    const { exitCode, output, error } = await launch(argv);
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
    expect(error).toMatch(message);
    expect(linesOf(error)).toHaveLength(1);
  });

  test("a port that is taken, if it was asked for", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const { exitCode, error } = await launch(["--nodes", "2", "--port", String(port), "--", "true"]);
    server.close();
    expect(exitCode).toBe(2);
    expect(error).toMatch(`Port ${port} of this machine is taken`);
  });
});

test("its help", async () => {
  const { exitCode, output } = await runCommand(["help", "launch"], directory);
  expect(exitCode).toBe(0);
  for (const row of output.split("\n")) expect(row).toMatch(/^(.{0,109}\S)?$/);
});
