import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunError } from "@atoll/core";
import { expect, onTestFinished, test } from "vitest";
import { ddp } from "../strategies/index.ts";
import type { PoolReport, PoolTask } from "../test/poolWorker.ts";
import { rehearse } from "../test/runs.ts";
import { WorkerPool } from "./workerPool.ts";
import { startWorkers, workerThreads } from "./workerThreads.ts";

const startPool = (size: number): WorkerPool<PoolTask, PoolReport, string> =>
  new WorkerPool(new URL("../test/poolWorker.ts", import.meta.url), size);
const report = (number: number): PoolTask => ({ kind: "report", number });

test("every task is answered with its own result, however many there are", async () => {
  for (const size of [1, 3]) {
    await using pool = startPool(size);
    const numbers = Array.from({ length: 500 }, (_, i) => i);
    for (const isSmall of [() => false, () => true, (number: number) => number % 5 < 3]) {
      const reports = await Promise.all(
        numbers.map((number) => pool.run(report(number), { isSmall: isSmall(number) })),
      );
      expect(reports.map(({ number }) => number)).toEqual(numbers);
      expect(new Set(reports.map(({ thread }) => thread)).size).toBeLessThanOrEqual(size);
    }
  }
});

test("a small task is not left behind one that takes long while another worker is free", async () => {
  await using pool = startPool(2);
  const hanging = pool.run({ kind: "hang" });
  for (let i = 0; i < 20; i++)
    expect(await pool.run(report(i), { isSmall: true })).toMatchObject({ number: i });
  await Promise.all([
    expect(hanging).rejects.toThrow("disposed of before their work was done"),
    pool[Symbol.asyncDispose](),
  ]);
});

test("of small tasks each worker gets an even share in one message, of others half of it and then the rest", async () => {
  await using pool = startPool(2);
  const messagesOf = async (isSmall: boolean): Promise<number> => {
    const reports = Array.from({ length: 8 }, (_, i) => pool.run(report(i), { isSmall }));
    return new Set((await Promise.all(reports)).map(({ thread, message }) => `${thread}: ${message}`)).size;
  };
  expect(await messagesOf(true)).toBe(2);
  expect(await messagesOf(false)).toBeGreaterThan(2);
});

test("a broadcast reaches every worker before the tasks that follow it", async () => {
  await using pool = startPool(2);
  for (const content of ["first", "second"]) {
    pool.broadcast(content);
    const reports = await Promise.all(Array.from({ length: 50 }, (_, i) => pool.run(report(i))));
    expect(new Set(reports.map(({ told }) => told))).toEqual(new Set([content]));
  }
});

test("a broadcast reaches no worker before the tasks that it follows", async () => {
  await using pool = startPool(2);
  pool.broadcast("first");
  const before = Promise.all(Array.from({ length: 200 }, (_, i) => pool.run(report(i))));
  await new Promise(setImmediate); // Some of them have been sent, and others wait.
  pool.broadcast("second");
  const after = await pool.run(report(0));
  expect(new Set((await before).map(({ told }) => told))).toEqual(new Set(["first"]));
  expect(after.told).toBe("second");
});

test("a task that fails fails alone", async () => {
  await using pool = startPool(1);
  const tasks = Array.from({ length: 40 }, (_, i) =>
    i === 7 ? ({ kind: "fail", message: "no" } as const) : report(i),
  );
  const outcomes = await Promise.allSettled(tasks.map((task) => pool.run(task)));
  expect(outcomes.filter(({ status }) => status === "rejected")).toEqual([outcomes[7]]);
  expect((outcomes[7] as PromiseRejectedResult).reason.message).toBe("no");
});

test("a task that cannot be copied to a thread fails alone, wherever it stands in the queue", async () => {
  await using pool = startPool(2);
  const uncopied = { kind: "report", number: 0, by: () => 0 } as PoolTask;
  for (const bad of [[0], [7], [39], [0, 1, 2, 3, 20, 21], Array.from({ length: 40 }, (_, i) => i)]) {
    const tasks = Array.from({ length: 40 }, (_, i) => (bad.includes(i) ? uncopied : report(i)));
    const outcomes = await Promise.allSettled(tasks.map((task) => pool.run(task)));
    for (const [i, outcome] of outcomes.entries())
      if (!bad.includes(i)) expect(outcome).toMatchObject({ status: "fulfilled", value: { number: i } });
      else
        expect((outcome as PromiseRejectedResult).reason).toEqual(
          new RunError("A task cannot be sent to a worker thread: () => 0 could not be cloned."),
        );
  }
  const queued = pool.run(uncopied);
  pool.broadcast("told");
  await expect(queued).rejects.toThrow(RunError);
  expect(await pool.run(report(1))).toMatchObject({ told: "told" });
});

test("a thread that ends takes the pool with it: all tasks are rejected, none hangs", async () => {
  await using pool = startPool(2);
  const hanging = pool.run({ kind: "hang" });
  // So that it has a thread before the others are asked for, which would be sent together with it.
  for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
  const tasks: readonly PoolTask[] = [{ kind: "exit" }, ...Array.from({ length: 9 }, (_, i) => report(i))];
  const outcomes = await Promise.allSettled([hanging, ...tasks.map((task) => pool.run(task))]);
  expect(outcomes.slice(0, 2).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  for (const outcome of outcomes)
    if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(RunError);
  await expect(pool.run(report(1))).rejects.toThrow("A worker thread ended unexpectedly (exit code 3).");
});

test("disposing of a pool rejects what it has not done", async () => {
  const pool = startPool(1);
  const hanging = pool.run({ kind: "hang" });
  const outcome = expect(hanging).rejects.toThrow("disposed of before their work was done");
  await pool[Symbol.asyncDispose]();
  await outcome;
});

test("workers serve one run at a time", async () => {
  await using workers = startWorkers(1);
  const options = { strategy: ddp(), maxSteps: 5, executor: workerThreads(workers) };
  const [first, second] = await Promise.allSettled([rehearse(options), rehearse(options)]);
  expect(first.status).toBe("fulfilled");
  expect((second as PromiseRejectedResult).reason.message).toMatch(/^These workers serve another run/);
  await rehearse(options);
});

test("workers that are disposed of under a run end it with an error", async () => {
  const workers = startWorkers(1);
  const run = rehearse({
    strategy: ddp(),
    maxSteps: 1000,
    executor: workerThreads(workers),
    emit(event) {
      if (event.type === "step" && event.step === 5) void workers[Symbol.asyncDispose]();
    },
  });
  await expect(run).rejects.toThrow("disposed of before their work was done");
});

test("workers that are still loading can be disposed of", async () => {
  for (let i = 0; i < 4; i++) await startWorkers(3)[Symbol.asyncDispose]();
});

test("workers read compiled modules where the program does, and none unless it does", () => {
  const directory = mkdtempSync(join(tmpdir(), "atoll-cache-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const cacheOf = (before: string): string => {
    const script = `
      import { enableCompileCache, getCompileCacheDir } from "node:module";
      ${before}
      const { WorkerPool } = await import(${at("./workerPool.ts")});
      await using pool = new WorkerPool(new URL(${at("../test/poolWorker.ts")}), 1);
      const { compileCache } = await pool.run({ kind: "report", number: 0 });
      process.stdout.write(String(compileCache === getCompileCacheDir() && compileCache));`;
    const env = { PATH: process.env.PATH };
    const file = join(directory, "program.mjs");
    writeFileSync(file, script);
    return execFileSync(process.execPath, [file], { env }).toString();
  };
  expect(cacheOf(`enableCompileCache(${JSON.stringify(directory)});`)).toContain(directory);
  expect(cacheOf("")).toBe("undefined");
});
