// A run from the command line: what it prints, what it leaves on disk, and that it can be broken off and gone on with.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { decodeSafetensors } from "@atoll/checkpoint";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-cli-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const DIGITS = "train digits trainSize=400 testSize=50 batchSize=8 valSize=20 nodes=3".split(" ");

/** The real command as a process of its own. */
function spawnAtoll(argv: readonly string[]): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const bin = fileURLToPath(new URL("../bin/atoll.mjs", import.meta.url));
  const child = spawn(process.execPath, [bin, ...argv], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

const readRun = (name: string, file: string): Promise<string> =>
  readFile(join(directory, "runs", name, file), "utf8");

test("a run that ends before its nodes exchange anything says so, at once and in its report", async () => {
  const { error } = await runCommand(
    [...DIGITS, "maxSteps=2", "strategy=diloco", "--name", "alone"],
    directory,
  );
  const [first] = error.split("\n");
  expect(first).toMatch(/^warning: No node sends anything: .* after step 100, and the run ends after step 2/);
  expect(await readRun("alone", "report.html")).toContain(first!.slice("warning: ".length));
});

test("--json: standard output is one JSON object with the run's results, all else is on standard error", async () => {
  const argv = [...DIGITS, "maxSteps=6", "strategy=fedavg", "strategy.H=3", "seed=7", "--json"];
  const child = spawnAtoll([...argv, "network.profile=wan", "network.topology=ring"]);
  const [output, error, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr!),
    once(child, "exit"),
  ]);
  expect(exitCode).toBe(0);
  expect(output.split("\n")).toHaveLength(2);
  const summary = JSON.parse(output) as Record<string, unknown>;
  const positive = expect.toSatisfy((value: number) => value > 0);
  const pair = { local: expect.any(Number), global: expect.any(Number) };
  expect(summary).toStrictEqual({
    name: "digits-fedavg-001",
    runDir: join(directory, "runs", "digits-fedavg-001"),
    strategy: "fedavg",
    nodes: 3,
    steps: 6,
    outcome: "completed",
    seed: 7,
    loss: pair,
    accuracy: pair,
    simulatedSeconds: positive,
    wallSeconds: positive,
    computeSeconds: positive,
    communicationSeconds: positive,
    waitingSeconds: expect.any(Number),
    // A ring sends 2 (N − 1) / N of the parameters, four bytes each, at every average.
    bytesSent: Array.from({ length: 3 }, () => expect.closeTo((2 * 2 * 2 * 4 * 203_530) / 3, -2)),
    parameters: 203_530,
    peakRssBytes: positive,
  });
  expect(JSON.parse(await readRun("digits-fedavg-001", "summary.json"))).toEqual(summary);
  expect(error).toMatch(/step 6\/6 {2}loss \d/);
  expect(error).toMatch(/\nReport {2}.*report\.html\n$/);
});

test("--json tells a run that diverged from one without a loss", async () => {
  const line =
    "train digits trainSize=256 testSize=64 maxSteps=8 optimizer=sgd optimizer.learningRate=1e6 --json";
  const { exitCode, output } = await runCommand(line.split(" "), directory);
  expect({ exitCode, ...JSON.parse(output) }).toMatchObject({
    exitCode: 0,
    outcome: "diverged",
    loss: { local: null, global: null },
  });
});

test("a run without --json prints nothing on standard output, and numbers its directory", async () => {
  for (const name of ["digits-ddp-001", "digits-ddp-002"]) {
    const { exitCode, output } = await runCommand([...DIGITS, "maxSteps=2"], directory);
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: "" });
    expect((await readdir(join(directory, "runs", name))).sort()).toEqual([
      "config.json",
      "events.jsonl",
      "model.safetensors",
      "report.html",
      "summary.json",
      "train.csv",
      "validation.csv",
    ]);
  }
});

test.each([
  ["ddp", []],
  ["fedavg", ["strategy.H=7", "strategy.islandSize=2"]],
  ["diloco", ["strategy.H=5"]],
])("broken off and resumed, %s gives the numbers of an unbroken run", async (strategy, options) => {
  const argv = [...DIGITS, "maxSteps=60", "valInterval=20", `strategy=${strategy}`, ...options];
  const place = ["network.profile=mobile", "checkpointInterval=25", "--name"];
  expect((await runCommand([...argv, ...place, "whole"], directory)).exitCode).toBe(0);
  for (const step of ["9/60", "39/60"]) {
    const stop = new AbortController();
    const watch = (line: string): void => {
      if (line.includes(`step ${step}`) || line.includes(`step  ${step}`)) stop.abort();
    };
    const resume = existsSync(join(directory, "runs", "broken")) ? ["--resume"] : [];
    const { exitCode, output, error } = await runCommand(
      [...argv, ...place, "broken", ...resume],
      directory,
      {
        signal: stop.signal,
        watch,
      },
    );
    expect({ exitCode, output }).toEqual({ exitCode: 130, output: "" });
    expect(error).toMatch(/\nGo on {3}npx atoll train digits --name broken --resume\n/);
    expect(error).toMatch(
      /\natoll: Interrupted after step \d+ of 60\. Checkpoint: .*\/checkpoints\/\d{8}\.\n$/,
    );
  }
  expect((await runCommand(["train", "digits", "--name", "broken", "--resume"], directory)).exitCode).toBe(0);
  for (const file of ["train.csv", "validation.csv"])
    expect(await readRun("broken", file)).toBe(await readRun("whole", file));
  const numbers = async (name: string): Promise<Record<string, unknown>> => {
    const {
      name: _,
      runDir,
      wallSeconds,
      peakRssBytes,
      ...rest
    } = JSON.parse(await readRun(name, "summary.json"));
    return rest;
  };
  expect(await numbers("broken")).toEqual(await numbers("whole"));
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends a real process with a checkpoint and code 130",
  async (signal) => {
    const child = spawnAtoll([...DIGITS, "maxSteps=1000000", "valInterval=100", "--name", "long", "--json"]);
    const output = text(child.stdout);
    let error = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      const before = error;
      error += chunk;
      if (!before.includes("step 100:") && error.includes("step 100:")) child.kill(signal);
    });
    expect(await once(child, "exit")).toEqual([130, null]);
    expect(await output).toBe("");
    expect(await readdir(join(directory, "runs", "long", "checkpoints"))).toHaveLength(1);
    expect(error).toMatch(/atoll: Interrupted after step \d+ of 1000000\. Checkpoint: /);
    expect(existsSync(join(directory, "runs", "long", "report.html"))).toBe(true);
  },
);

test("a run that another process writes to is not gone on with; one whose process was killed is", async () => {
  const run = [...DIGITS, "maxSteps=1000000", "checkpointInterval=50", "valSize=0", "--name", "busy"];
  const child = spawnAtoll(run);
  let error = "";
  await new Promise<void>((resolve) =>
    child.stderr!.on("data", (chunk: Buffer) => {
      error += chunk;
      if (error.includes("step 50: checkpoint")) resolve();
    }),
  );
  const resume = ["train", "digits", "--name", "busy", "--resume"];
  const refused = await runCommand(resume, directory);
  expect(refused.error).toContain(
    `process ${child.pid} of this machine writes to it. Wait until it has ended`,
  );
  expect(refused.exitCode).toBe(2);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(existsSync(join(directory, "runs", "busy", "lock"))).toBe(true);
  const stop = new AbortController();
  stop.abort();
  expect((await runCommand(resume, directory, { signal: stop.signal })).exitCode).toBe(130);
  expect(existsSync(join(directory, "runs", "busy", "lock"))).toBe(false);
});

test("a second interrupt ends a real process at once, by the signal itself", async () => {
  const child = spawnAtoll([...DIGITS, "model=cnn", "batchSize=64", "maxSteps=20", "--name", "hasty"]);
  let error = "";
  let asked = 0;
  child.stderr!.on("data", (chunk: Buffer) => {
    error += chunk;
    const wanted = error.includes("Stopping where all nodes can") ? 2 : 1;
    for (; asked < wanted; asked++) child.kill("SIGINT");
  });
  expect(await once(child, "exit")).toEqual([null, "SIGINT"]);
});

test("an interrupt after the last step does not wait for the final evaluation, and the run can be resumed", async () => {
  const run = [...DIGITS, "maxSteps=20"];
  const interrupt = new AbortController();
  const watch = (text: string): void => {
    if (text.includes("step 20/20")) interrupt.abort();
  };
  const { exitCode, error } = await runCommand([...run, "--name", "late"], directory, {
    signal: interrupt.signal,
    watch,
  });
  expect(exitCode).toBe(130);
  expect(error).toMatch(/Interrupted after step 20 of 20\. Checkpoint: /);
  expect(await runCommand([...run, "--name", "late", "--resume"], directory)).toMatchObject({ exitCode: 0 });
  expect(await runCommand([...run, "--name", "unbroken"], directory)).toMatchObject({ exitCode: 0 });
  const loss = async (name: string): Promise<unknown> => JSON.parse(await readRun(name, "summary.json")).loss;
  expect(await loss("late")).toEqual(await loss("unbroken"));
});

test("a finished run keeps the fitted model, by names and shapes", async () => {
  await runCommand([...DIGITS, "maxSteps=2", "--name", "kept"], directory);
  const path = join(directory, "runs", "kept", "model.safetensors");
  const { tensors } = decodeSafetensors(await readFile(path), path);
  const shapes = Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
  expect(Object.values(shapes)).toEqual(expect.arrayContaining([[784, 256], [256], [256, 10], [10]]));
  expect(Object.keys(shapes).every((name) => name.startsWith("parameters."))).toBe(true);
});

test("a run goes on when nobody reads its progress any more", async () => {
  const child = spawnAtoll([...DIGITS, "maxSteps=40", "--name", "unread"]);
  child.stderr!.once("data", () => child.stderr!.destroy());
  expect(await once(child, "exit")).toEqual([0, null]);
  expect(JSON.parse(await readRun("unread", "summary.json"))).toMatchObject({ steps: 40 });
});

test("an interrupt before the first step leaves nothing behind", async () => {
  const { exitCode, output, error } = await runCommand(["train", "mnist"], directory, {
    signal: AbortSignal.abort(),
  });
  expect({ exitCode, output, error }).toEqual({
    exitCode: 130,
    output: "",
    error: "atoll: Interrupted before the first step.\n",
  });
  expect(await readdir(join(directory, "runs"))).toEqual([]);
});
