// Runs that end early: interrupted by their user, or failed in any of the ways in which a run can fail.

import { ConfigError, InterruptedError, RunError, type RunEvent } from "@atoll/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LocalTrainer } from "./localTrainer.ts";
import { startWorkers, type Workers, workerThreads } from "./node/workerThreads.ts";
import { ddp, diLoCo, fedAvg, type ParameterStrategy, type StrategyNode } from "./strategies/index.ts";
import {
  busy,
  clouds,
  memoryStore,
  perceptron,
  type RehearsalOptions,
  rehearse as rehearseInProcess,
} from "./test/runs.ts";
import { watched } from "./test/watched.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const rehearse = (options: RehearsalOptions): ReturnType<typeof rehearseInProcess> =>
  rehearseInProcess({ executor: workerThreads(workers), ...options });

describe("interrupting", () => {
  const long: RehearsalOptions = { ...busy, strategy: fedAvg({ H: 200 }), maxSteps: 200, valSize: 0 };

  test("in the middle of a long run of local steps ends it there, and the rest gives the same numbers", async () => {
    const controller = new AbortController();
    const executor = watched(workerThreads(workers), (executor) => ({
      localSteps(replica, batch, count) {
        if (count >= 32) controller.abort();
        return executor.localSteps(replica, batch, count);
      },
    }));
    const store = memoryStore();
    const stopped = rehearse({ ...long, executor, checkpoints: store, signal: controller.signal });
    await expect(stopped).rejects.toThrow(InterruptedError);
    const [resume] = store.snapshots.values();
    expect(resume!.step).toBeLessThan(100);
    const resumed = await rehearse({ ...long, resume: resume! });
    const unbroken = await rehearse(long);
    expect({ ...resumed.result, wallSeconds: 0 }).toEqual({ ...unbroken.result, wallSeconds: 0 });
  });

  test("without a checkpoint store says that there is no checkpoint", async () => {
    const events: RunEvent[] = [];
    const trainer = new LocalTrainer({ model: perceptron(), train: clouds(64), wallClock: () => 0 });
    const run = trainer.fit({
      strategy: ddp(),
      maxSteps: 200,
      batchSize: 8,
      signal: AbortSignal.abort(),
      emit: (event) => events.push(event),
    });
    await expect(run).rejects.toThrow(/^Interrupted after step 0 of 200\. .*[nN]o checkpoint/);
    expect(events.at(-1)).toMatchObject({ type: "runFinished", outcome: "interrupted", steps: 0 });
  });

  test("evaluates and saves once where it stops", async () => {
    const controller = new AbortController();
    const events: RunEvent[] = [];
    const run = rehearse({
      ...busy,
      strategy: ddp(),
      valInterval: 5,
      checkpointInterval: 5,
      signal: controller.signal,
      emit(event) {
        events.push(event);
        if (event.type === "evaluation") controller.abort();
      },
    });
    await expect(run).rejects.toThrow("Interrupted after step 5 of 10. Checkpoint: memory:5.");
    const ends = events.map(({ type }) => type).filter((type) => type !== "collective" && type !== "step");
    expect(ends).toEqual(["runStarted", "topology", "evaluation", "checkpoint", "runFinished"]);
  });
});

describe("failures end a run with one error", () => {
  /** Runs to the error and returns it, with the events until then. */
  async function failure(options: Partial<RehearsalOptions>): Promise<{ error: Error; events: RunEvent[] }> {
    const events: RunEvent[] = [];
    const run = rehearse({
      ...busy,
      ...options,
      emit(event) {
        events.push(event);
        options.emit?.(event);
      },
    });
    const error = await run.then(
      () => expect.fail("the run should have failed"),
      (thrown: Error) => thrown,
    );
    return { error, events };
  }

  test.each(["gradient", "update", "localSteps", "evaluate"] as const)(
    "of the executor's %s",
    async (method) => {
      let calls = 0;
      const broken = new Error("kernel fault");
      const executor = watched(workerThreads(workers), (executor) => ({
        [method]: (...args: never[]) =>
          ++calls === 5
            ? Promise.reject(broken)
            : (executor[method] as (...args: never[]) => unknown)(...args),
      }));
      const strategy = method === "gradient" || method === "update" ? ddp() : fedAvg({ H: 2 });
      const { error, events } = await failure({ executor, strategy, valInterval: 2 });
      expect(error).toBe(broken);
      expect(events.at(-1)).toMatchObject({
        type: "runFinished",
        outcome: "failed",
        message: "kernel fault",
      });
    },
  );

  test.each(["init", "localSteps", "synchronise"] as const)("of the strategy's %s", async (method) => {
    const broken = new Error("bad strategy");
    const strategy = {
      ...diLoCo({ H: 2 }),
      [method]: () => {
        throw broken;
      },
    };
    expect((await failure({ strategy })).error).toBe(broken);
  });

  test.each(["runStarted", "topology", "step", "collective", "evaluation", "checkpoint"])(
    "of the event sink at a %s",
    async (type) => {
      const broken = new Error("sink is full");
      let failed = 0;
      const { error } = await failure({
        valInterval: 2,
        checkpointInterval: 2,
        emit(event) {
          if (failed === 0 && event.type !== type) return;
          failed++;
          throw failed === 1 ? broken : new Error("and again");
        },
      });
      expect(error).toBe(broken);
    },
  );

  test("of the checkpoint store", async () => {
    const broken = new RunError("the disk is full");
    const checkpoints = { save: () => Promise.reject(broken) };
    const { error, events } = await failure({ checkpoints, checkpointInterval: 3 });
    expect(error).toBe(broken);
    expect(events.at(-1)).toMatchObject({ type: "runFinished", outcome: "failed", steps: 3 });
  });

  const calling = (synchronise: (node: StrategyNode) => Promise<void>): ParameterStrategy => ({
    ...fedAvg({ H: 3 }),
    name: "custom",
    init: () => ({ tensors: {}, values: {} }),
    synchronise,
  });

  test("of ranks that wait for each other: who waits, and for what", async () => {
    const strategy = calling(async ({ communicator, parameters }) => {
      if (communicator.rank === 0) await communicator.allReduce(parameters);
      else if (communicator.rank === 1) await communicator.group([1, 2]).barrier();
    });
    const { error } = await failure({ strategy });
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toMatch(/^Deadlock at [\d.e-]+ s: /);
    expect(error.message).toContain("rank 0 waits for allReduce(sum of 108 floats) #1, for ranks 1, 2");
    expect(error.message).toContain("rank 1 waits for barrier() #1, for rank 2");
    expect(error.message).toContain("Already ended: rank 2.");
  });

  test("of ranks that call different collectives", async () => {
    const strategy = calling(({ communicator, parameters }) =>
      communicator.rank === 0 ? communicator.allReduce(parameters) : communicator.broadcast(parameters),
    );
    const { error } = await failure({ strategy });
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toContain("All members have to make the same calls in the same order");
  });

  test("of a strategy that awaits something real", async () => {
    const strategy = calling(() => new Promise((resolve) => setTimeout(resolve, 1)));
    const { error } = await failure({ strategy });
    expect(error.message).toMatch(/awaits something that is not on the virtual clock/);
  });

  test("of a snapshot of another run", async () => {
    const { snapshots } = await rehearse({ ...busy, checkpointInterval: 5 });
    const resume = snapshots.get(5)!;
    const refused: readonly [Partial<RehearsalOptions>, string][] = [
      [{ nodes: 2 }, "The snapshot to resume from is of 3 nodes, but nodes is 2."],
      [{ maxSteps: 4 }, "has done 5 steps, but maxSteps is 4"],
      [{ strategy: diLoCo() }, 'expected a tensor "strategy.anchor" of shape [108], got none'],
      [{ model: perceptron() }, "Resume a run with the model, strategy and optimizer"],
    ];
    for (const [options, message] of refused) {
      const { error, events } = await failure({ ...options, resume });
      expect(error.message).toContain(message);
      expect(error).toBeInstanceOf(ConfigError);
      expect(events).toEqual([]);
    }
  });
});
