// Runs on disk, with real files and processes: what a run leaves behind, how it goes on after it was killed, and what
// happens if nothing can be written.

import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError, InterruptedError, RunError, type RunEvent } from "@atoll/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FitOptions } from "../options.ts";
import { happenings } from "../test/runs.ts";
import { CHECKPOINT_INTERVAL, savedRun as fit, STEPS } from "../test/savedRun.ts";
import { RunDirectory } from "./runDirectory.ts";
import { startWorkers, type Workers } from "./workerThreads.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const savedRun = (
  run: RunDirectory,
  options: Partial<FitOptions> = {},
  onEvent?: (event: RunEvent) => void,
): ReturnType<typeof fit> => fit(run, { workers, ...options }, onEvent);

let runs: string;
beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), "atoll-runs-"));
});
afterEach(() => rmSync(runs, { recursive: true, force: true }));

const create = (name: string, named = true): RunDirectory =>
  RunDirectory.create(runs, name, { named, config: { command: "test" } });
const read = (run: RunDirectory, file: string): string => readFileSync(join(run.path, file), "utf8");
const logOf = (run: RunDirectory): readonly RunEvent[] =>
  read(run, "events.jsonl")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RunEvent);

/** Everything of two runs that has to be the same: what happened, in which order, and the state at the end. */
function expectSame(got: RunDirectory, expected: RunDirectory): void {
  const events = (run: RunDirectory): readonly RunEvent[] =>
    happenings(logOf(run)).map((event) =>
      event.type === "checkpoint" ? { ...event, path: event.path.replace(run.path, "") } : event,
    );
  expect(events(got)).toEqual(events(expected));
  for (const file of ["train.csv", "validation.csv"]) expect(read(got, file)).toBe(read(expected, file));
  const last = (run: RunDirectory): string => join(run.path, "checkpoints", String(STEPS).padStart(8, "0"));
  expect(readdirSync(last(got))).toEqual(readdirSync(last(expected)));
  for (const file of readdirSync(last(expected)))
    expect(readFileSync(join(last(got), file)).equals(readFileSync(join(last(expected), file))), file).toBe(
      true,
    );
}

describe("a run", () => {
  test("leaves its config, log, tables and checkpoints", async () => {
    const run = create("whole");
    const seen: RunEvent[] = [];
    const result = await savedRun(run, {}, (event) => seen.push(event));
    run.writeSummary({ name: run.name });
    await run[Symbol.asyncDispose]();
    expect(logOf(run)).toEqual(JSON.parse(JSON.stringify(seen)));
    const steps = seen.filter((event) => event.type === "step");
    const [header, ...rows] = read(run, "train.csv").trimEnd().split("\n");
    expect(header).toBe("step,examples_trained,train_loss,train_perplexity,lr");
    expect(rows).toHaveLength(STEPS);
    expect(rows[0]!.split(",").map(Number)).toEqual([1, 24, steps[0]!.loss, Math.exp(steps[0]!.loss), 1e-3]);
    const evaluations = read(run, "validation.csv").trimEnd().split("\n");
    expect(evaluations[0]).toBe("step,local_loss,local_perplexity,global_loss,global_perplexity");
    expect(evaluations.slice(1).map((row) => Number(row.split(",")[0]))).toEqual([4, 8, 12, 16, 20]);
    expect(readdirSync(join(run.path, "checkpoints"))).toEqual(
      [4, 8, 12, 16, 20].map((step) => String(step).padStart(8, "0")),
    );
    expect(Object.keys(JSON.parse(read(run, "config.json")))).toEqual(["name", "command", "resolved"]);
    expect(JSON.parse(read(run, "config.json")).resolved).toMatchObject({
      nodes: 3,
      maxSteps: STEPS,
      batchSize: 8,
      minibatchSize: 8,
      seed: 3,
      valSize: 1024,
      valInterval: 4,
      shuffle: true,
      checkpointInterval: CHECKPOINT_INTERVAL,
      partition: { kind: "contiguous" },
      data: {
        train: { name: "clouds", examples: 150 },
        validation: { name: "clouds", examples: 50 },
      },
      model: { kind: "perceptron", rate: 0.3, normed: true },
      strategy: { kind: "diloco", H: 6, outer: { kind: "nesterov", learningRate: 0.7, momentum: 0.9 } },
      optimizer: { learningRate: 1e-3, b1: 0.9, b2: 0.999, eps: 1e-8, weightDecay: 0.01 },
      network: { topology: "fully_connected", profile: "mobile", tcp: expect.anything() },
      compute: { kind: "device", device: "laptop", flopsPerStep: expect.any(Number) },
    });
    expect(result.steps).toBe(STEPS);
    expect(readdirSync(run.path).filter((file) => file.endsWith(".part"))).toEqual([]);
  });

  test("that records more than losses has a table of it, which a resumed run goes on with", async () => {
    const record = { quantities: ["correlation", "gradientNorm", "outerCosine"], interval: 3 } as const;
    const whole = create("records");
    await savedRun(whole, { record });
    await whole[Symbol.asyncDispose]();
    const [header, ...rows] = read(whole, "records.csv").trimEnd().split("\n");
    expect(header).toBe("step,simulated_seconds,quantity,nodes,mean,min,max");
    const of = (quantity: string) => rows.map((row) => row.split(",")).filter((row) => row[2] === quantity);
    expect(of("gradientNorm").map(([step]) => Number(step))).toEqual([3, 6, 9, 12, 15, 18]);
    expect(of("correlation").map(([step]) => Number(step))).toEqual([3, 6, 9, 12, 15, 18]);
    expect(of("outerCosine").map(([step]) => Number(step))).toEqual([6, 12, 18]);
    for (const [, , , nodes, mean, min, max] of of("gradientNorm"))
      expect(Number(nodes) === 3 && Number(min) <= Number(mean) && Number(mean) <= Number(max)).toBe(true);
    expect(JSON.parse(read(whole, "config.json")).resolved.record).toEqual(record);
    const stopped = create("stopped");
    const controller = new AbortController();
    const stop = (event: RunEvent): void => {
      if (event.type === "step" && event.step === 10) controller.abort();
    };
    await expect(savedRun(stopped, { record, signal: controller.signal }, stop)).rejects.toThrow(
      InterruptedError,
    );
    await stopped[Symbol.asyncDispose]();
    const resumed = RunDirectory.open(runs, "stopped");
    await savedRun(resumed, { record });
    await resumed[Symbol.asyncDispose]();
    expect(read(resumed, "records.csv")).toBe(read(whole, "records.csv"));
  });

  test("that ends before its first event leaves nothing", async () => {
    const run = create("nothing");
    await expect(savedRun(run, { batchSize: 1000 })).rejects.toThrow(ConfigError);
    await run[Symbol.asyncDispose]();
    expect(existsSync(run.path)).toBe(false);
  });
});

describe("names", () => {
  test("that are taken are refused if they were chosen, and numbered if not", () => {
    create("mine");
    expect(() => create("mine")).toThrow(
      `Run "mine" exists already in ${runs}. Go on with it by --resume, or choose a new name.`,
    );
    expect([create("auto", false).name, create("auto", false).name]).toEqual(["auto-001", "auto-002"]);
  });

  test.each(["", "..", "a/b", ".hidden", "a b"])("%j is none", (name) => {
    expect(() => create(name)).toThrow(ConfigError);
  });
});

describe("resuming", () => {
  test("after kill -9 in the middle of a line gives the run that was never killed", async () => {
    const unbroken = create("unbroken");
    await savedRun(unbroken);
    // Between two checkpoints, and at one that was not saved yet.
    for (const step of [7, 8]) {
      const name = `killed-${step}`;
      const script = fileURLToPath(new URL("../test/killedRun.ts", import.meta.url));
      const signal = await new Promise((resolve) => {
        execFile(process.execPath, [script, runs, name, String(step)], (error) => resolve(error?.signal));
      });
      expect(signal).toBe("SIGKILL");
      expect(readFileSync(join(runs, name, "events.jsonl"), "utf8").endsWith("\n")).toBe(false);
      const run = RunDirectory.open(runs, name);
      await savedRun(run);
      expectSame(run, unbroken);
      const starts = logOf(run).filter((event) => event.type === "runStarted");
      const resumedFrom = CHECKPOINT_INTERVAL * Math.floor((step - 1) / CHECKPOINT_INTERVAL);
      expect(starts.map((event) => event.resumedFrom)).toEqual([0, resumedFrom]);
    }
  });

  test("after the last checkpoint does only the final evaluation again", async () => {
    const unbroken = create("unbroken");
    const expected = await savedRun(unbroken);
    const run = create("done-but-for-its-summary");
    await savedRun(run);
    const resumed = await savedRun(RunDirectory.open(runs, run.name));
    expect({ ...resumed, wallSeconds: 0 }).toEqual({ ...expected, wallSeconds: 0 });
    expectSame(run, unbroken);
  });

  test("keeps what happened between a checkpoint and its step: the state knows of it", async () => {
    const run = create("crashed-at-the-cut");
    await savedRun(run);
    const fault = {
      type: "fault",
      kind: "crash",
      time: 1,
      ranks: [2],
      message: "Node 2 crashed.",
      until: null,
    };
    const log = read(run, "events.jsonl");
    const last = log.lastIndexOf('{"type":"checkpoint"');
    const path = join(run.path, "events.jsonl");
    writeFileSync(path, `${log.slice(0, last)}${JSON.stringify(fault)}\n${log.slice(last)}`);
    RunDirectory.open(runs, run.name).resumeSnapshot();
    expect(logOf(run).slice(-2)).toMatchObject([fault, { type: "checkpoint", step: STEPS }]);
  });

  test("after an interrupt, with durations that were measured", async () => {
    const controller = new AbortController();
    const options = {
      compute: { kind: "measured" },
      checkpointInterval: 0,
      signal: controller.signal,
    } as const;
    const run = create("interrupted");
    const stopped = savedRun(run, options, (event) => {
      if (event.type === "step" && event.step === 5) controller.abort();
    });
    await expect(stopped).rejects.toThrow(InterruptedError);
    const { signal: _, ...rest } = options;
    const again = RunDirectory.open(runs, run.name);
    const resumed = await savedRun(again, rest);
    const [first, second] = logOf(again).filter((event) => event.type === "runStarted");
    expect(second!.config).toEqual(first!.config);
    const { durations } = first!.config.compute as { durations: readonly number[] };
    const replayed = await savedRun(create("replayed"), {
      ...rest,
      compute: { kind: "measured", durations },
    });
    expect({ ...resumed, wallSeconds: 0 }).toEqual({ ...replayed, wallSeconds: 0 });
  });

  test("is refused for a run that is missing, finished, without a checkpoint, or damaged", async () => {
    expect(() => RunDirectory.open(runs, "missing")).toThrow(`There is no run "missing" in ${runs}`);
    const bare = create("bare");
    await savedRun(bare, { checkpointInterval: 0 });
    expect(() => RunDirectory.open(runs, "bare")).toThrow('Run "bare" has no checkpoint to resume from.');
    const run = create("run");
    await savedRun(run);
    const log = read(run, "events.jsonl");
    writeFileSync(join(run.path, "events.jsonl"), log.slice(0, 500));
    expect(() => RunDirectory.open(runs, "run").resumeSnapshot()).toThrow("expected the event of step 20");
    writeFileSync(join(run.path, "config.json"), "{");
    expect(() => RunDirectory.open(runs, "run")).toThrow(/^Damaged run: .*config.json/);
    run.writeSummary({});
    expect(() => RunDirectory.open(runs, "run")).toThrow(
      'Run "run" is finished; there is nothing to resume.',
    );
  });
});

describe("what cannot be written ends a run with one sentence", () => {
  test("a full disk under the log", async ({ skip }) => {
    if (!existsSync("/dev/full")) skip("this system has no /dev/full to stand for a full disk");
    const run = create("full");
    symlinkSync("/dev/full", join(run.path, "events.jsonl"));
    const stopped = savedRun(run);
    await expect(stopped).rejects.toThrow(
      `Cannot write ${join(run.path, "events.jsonl")}: the disk is full (ENOSPC). Free some space and try again.`,
    );
    await expect(stopped).rejects.toThrow(RunError);
    await run[Symbol.asyncDispose](); // says nothing more
  });

  test("a full disk under the checkpoints, and the run goes on when there is space", async ({ skip }) => {
    const unbroken = create("unbroken");
    await savedRun(unbroken);
    const disk = mkdtempSync(join(runs, "disk-"));
    const mounted = await command("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
    if (!mounted) skip("mounting a small disk needs more rights than this user has");
    try {
      const run = RunDirectory.create(disk, "full", { named: true, config: {} });
      await expect(savedRun(run)).rejects.toThrow(/the disk is full \(ENOSPC\)/);
      await run[Symbol.asyncDispose]();
      expect(readdirSync(join(run.path, "checkpoints")).length).toBeLessThan(5);
      await command("mount", ["-o", "remount,size=8m", disk]);
      const again = RunDirectory.open(disk, "full");
      await savedRun(again);
      expectSame(again, unbroken);
    } finally {
      await command("umount", [disk]);
    }
  });

  test("a directory that is none, or not ours", ({ skip }) => {
    writeFileSync(join(runs, "file"), "");
    expect(() => RunDirectory.create(join(runs, "file"), "run", { named: true, config: {} })).toThrow(
      /^Cannot write .*: expected a directory that can be written to, got E(NOTDIR|EXIST)/,
    );
    if (process.getuid?.() === 0) skip("root may write everywhere");
    mkdirSync(join(runs, "closed"));
    chmodSync(join(runs, "closed"), 0o555);
    expect(() => RunDirectory.create(join(runs, "closed"), "run", { named: true, config: {} })).toThrow(
      ConfigError,
    );
  });
});

/** Runs a command; whether it succeeded. */
const command = (name: string, args: readonly string[]): Promise<boolean> =>
  new Promise((resolve) => {
    execFile(name, args, (error) => resolve(error === null));
  });
