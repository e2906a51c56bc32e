// What every tracker has to do: keep all metrics by step, go on with a resumed run as if it had never stopped, and fail
// without harm. A new tracker is one row. Below the table: queues, limits and time limits.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, type RunEvent } from "@atoll/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type MlflowServer, mlflowServer } from "../../test/mlflowServer.ts";
import { type Metrics, readMlflow, readTensorBoard, readWandb } from "../../test/trackedMetrics.ts";
import { trackerEntries, trackRun } from "./index.ts";
import type { MetricRow, Tracker } from "./tracker.ts";
import { Tracking } from "./tracking.ts";

let directory: string;
let server: MlflowServer;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "atoll-trackers-"));
  server = mlflowServer();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Row {
  readonly name: string;
  readonly read: () => Metrics;
  /** Options with which it cannot work. */
  readonly broken: () => Readonly<Record<string, unknown>>;
  /** Of its numbers. */
  readonly round: (value: number) => number;
}

/** A directory that cannot be made, since a file has its name. */
const blocked = (): { readonly directory: string } => {
  writeFileSync(join(directory, "file"), "");
  return { directory: join(directory, "file") };
};

const rows: readonly Row[] = [
  { name: "tensorboard", read: () => readTensorBoard(directory), broken: blocked, round: Math.fround },
  { name: "wandb", read: () => readWandb(directory), broken: blocked, round: (value) => value },
  {
    name: "mlflow",
    read: () => readMlflow(server.runs.get("run0")!),
    broken: () => ({ uri: "http://nowhere.invalid:1" }),
    round: (value) => value,
  },
];

const LAST = 12;
const EVALUATED = 3;

const started = (resumedFrom = 0): RunEvent => ({
  type: "runStarted",
  name: "run",
  strategy: "ddp",
  nodes: 2,
  maxSteps: LAST,
  parameters: 10,
  seed: 1,
  config: { nodes: 2, network: { profile: "wan" }, note: "x".repeat(1000) },
  startedAt: new Date(0).toISOString(),
  resumedFrom,
});

const finished: RunEvent = {
  type: "runFinished",
  outcome: "completed",
  message: null,
  steps: LAST,
  simulatedSeconds: 1,
  wallSeconds: 2,
  nodes: [],
  bytesSent: [],
};

const evaluated = (step: number, split: "validation" | "test"): RunEvent => ({
  type: "evaluation",
  step,
  split,
  time: step,
  bytesSent: step,
  loss: { local: 3 / step, global: 2 / step },
  accuracy: split === "test" ? { local: 0.25, global: 0.5 } : null,
});

/** The events of one step; the loss of one step is not a number. */
const stepEvents = (step: number): readonly RunEvent[] => [
  {
    type: "step",
    step,
    loss: step === 5 ? Number.NaN : 1 / step,
    learningRate: 0.001,
    examples: step * 16,
    time: step / 2,
    bytesSent: step * 1e6,
  },
  ...(step % EVALUATED === 0 ? [evaluated(step, "validation")] : []),
  ...(step === LAST ? [evaluated(step, "test")] : []),
];

const eventsOf = (first: number, last: number): readonly RunEvent[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => stepEvents(first + i)).flat();

/** What has to be kept in the end. */
function expected(round: Row["round"]): Metrics {
  const metrics: Metrics = {};
  const add = (name: string, step: number, value: number): void => {
    metrics[name] = { ...metrics[name], [step]: round(value) };
  };
  for (const event of eventsOf(1, LAST)) {
    if (event.type === "step") {
      add("train_loss", event.step, event.loss);
      add("train_perplexity", event.step, Math.exp(event.loss));
      add("lr", event.step, event.learningRate);
      add("examples_trained", event.step, event.examples);
      add("simulated_seconds", event.step, event.time);
      add("bytes_sent", event.step, event.bytesSent);
    } else if (event.type === "evaluation") {
      const prefix = event.split === "test" ? "test_" : "";
      for (const model of ["local", "global"] as const) {
        add(`${prefix}${model}_loss`, event.step, event.loss[model]);
        add(`${prefix}${model}_perplexity`, event.step, Math.exp(event.loss[model]));
        if (event.accuracy) add(`${prefix}${model}_accuracy`, event.step, event.accuracy[model]);
      }
    }
  }
  return metrics;
}

/** Tracks these events with the trackers of these names; returns the warnings. */
async function track(
  events: readonly RunEvent[],
  trackers: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  { history = [] as readonly RunEvent[], fetch = server.fetch } = {},
): Promise<readonly string[]> {
  const warnings: string[] = [];
  const options = Object.entries(trackers).map(([name, given]) => {
    const entry = trackerEntries.find((candidate) => candidate.name === name);
    return [name, entry === undefined ? given : entry.options.parse(given)] as const;
  });
  let now = 1_700_000_000_000;
  const tracking = trackRun({
    trackers: Object.fromEntries(options) as typeof trackers,
    directory,
    workingDirectory: directory,
    wallClock: () => ++now,
    fetch,
    history,
    warn: (message) => warnings.push(message),
  });
  for (const event of events) tracking.record(event);
  await tracking.close();
  return warnings;
}

test("every tracker has its row", () => {
  expect(rows.map(({ name }) => name)).toEqual(trackerEntries.map(({ name }) => name));
});

describe.each(rows)("$name", ({ name, read, broken, round }) => {
  test("keeps all metrics by step", async () => {
    expect(await track([started(), ...eventsOf(1, LAST), finished], { [name]: {} })).toEqual([]);
    expect(read()).toEqual(expected(round));
  });

  test("goes on with a resumed run, whatever it had kept when the run stopped", async () => {
    const step = fc.integer({ min: 1, max: LAST });
    const stops = fc.record({
      seen: fc.integer({ min: 0, max: LAST }),
      checkpoint: step,
      ended: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(stops, stops, async (first, second) => {
        rmSync(directory, { recursive: true, force: true });
        server = mlflowServer();
        const end = (ended: boolean): readonly RunEvent[] =>
          ended ? [{ ...finished, outcome: "interrupted" } as RunEvent] : [];
        await track([started(), ...eventsOf(1, first.seen), ...end(first.ended)], { [name]: {} });
        // A tracker may know less or more than the checkpoint that the run goes on from.
        for (const [from, to, ended] of [
          [first.checkpoint, second.seen, second.ended],
          [second.checkpoint, LAST, true],
        ] as const) {
          const rest = from === LAST ? [evaluated(LAST, "test")] : eventsOf(from + 1, to);
          // The final evaluation is no part of what a checkpoint knows.
          const history = eventsOf(1, from).filter(
            (event) => event.type !== "evaluation" || event.split === "validation",
          );
          const tail = from === second.checkpoint && to === LAST ? [finished] : end(ended);
          await track([started(from), ...rest, ...tail], { [name]: {} }, { history });
        }
        expect(read()).toEqual(expected(round));
      }),
      { numRuns: 25 },
    );
  });

  test("that cannot work says so once, and leaves the others alone", async () => {
    const unreachable = (async (input, init) =>
      String(input).includes("nowhere.invalid")
        ? Promise.reject(new TypeError("fetch failed", { cause: new Error("ENOTFOUND") }))
        : server.fetch(input, init)) as typeof fetch;
    const other = rows.find((row) => row.name !== name)!;
    const trackers = { [name]: broken(), [other.name]: {} };
    const events = [started(), ...eventsOf(1, LAST), finished];
    const warnings = await track(events, trackers, { fetch: unreachable });
    expect(warnings).toEqual([
      expect.stringMatching(
        new RegExp(`^Tracker "${name}" failed and is left out from here on: .*\\. The run goes on; `),
      ),
    ]);
    expect(other.read()).toEqual(expected(other.round));
  });
});

test("MLflow gets options as parameters, within its limits, and how the run ended", async () => {
  const config = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`option${i}`, i]));
  await track([{ ...started(), config } as RunEvent, ...eventsOf(1, 1), finished], { mlflow: {} });
  const run = server.runs.get("run0")!;
  expect(run.params.size).toBe(250);
  expect(run.params.get("option249")).toBe("249");
  expect(run.status).toBe("FINISHED");
  await track([started(), { ...finished, outcome: "interrupted" }], { mlflow: {} });
  const { params, status } = server.runs.get("run1")!;
  expect([...params.keys()]).toEqual(["nodes", "network.profile", "note"]);
  expect(params.get("note")).toHaveLength(500);
  expect(status).toBe("KILLED");
});

test("a tracker that does not exist is refused by name", async () => {
  await expect(track([], { wandbb: {} })).rejects.toThrow(ConfigError);
  await expect(track([], { wandbb: {} })).rejects.toThrow('Unknown tracker "wandbb". Did you mean "wandb"?');
});

/** A tracker made of functions. */
const tracker = (parts: Partial<Tracker>): Tracker => ({
  hint: "hint",
  start: () => Promise.resolve(1),
  write: () => Promise.resolve(),
  finish: () => Promise.resolve(),
  ...parts,
});

interface Tracked {
  readonly tracking: Tracking;
  readonly warnings: readonly string[];
}

const tracked = (
  given: Tracker,
  options: Partial<ConstructorParameters<typeof Tracking>[0]> = {},
): Tracked => {
  const warnings: string[] = [];
  const tracking: Tracking = new Tracking({
    trackers: { fake: () => given },
    wallClock: () => 0,
    intervalMs: 0,
    warn(message) {
      warnings.push(message);
      tracking.record({ type: "warning", message }); // As the command does, whose warnings are events.
    },
    ...options,
  });
  return { tracking, warnings };
};

test("a tracker that hangs is waited for at the end, for a while, and told that nobody waits any more", async () => {
  let signal: AbortSignal | undefined;
  const hanging = tracker({ write: () => new Promise(() => {}) });
  const { tracking, warnings } = tracked(hanging, {
    trackers: {
      fake(given) {
        signal = given;
        return hanging;
      },
    },
    closeTimeoutMs: 50,
  });
  for (const event of [started(), ...eventsOf(1, LAST), finished]) tracking.record(event);
  expect(warnings).toEqual([]);
  await tracking.close();
  expect(warnings).toEqual([expect.stringMatching(/^Tracker "fake" failed .* gave no answer for 0\.05 s/)]);
  expect(signal?.aborted).toBe(true);
  expect(tracking.hints).toEqual([]);
});

test("a queue is bounded: a tracker that is too slow loses rows, is told of once, and keeps the rest", async () => {
  const gate = Promise.withResolvers<void>();
  const kept: number[] = [];
  const slow = tracker({
    async write(given: readonly MetricRow[]) {
      await gate.promise;
      kept.push(...given.map(({ step }) => step));
    },
  });
  const { tracking, warnings } = tracked(slow, { queueLimit: 4 });
  for (const event of [started(), ...eventsOf(1, LAST), finished]) tracking.record(event);
  expect(warnings).toEqual([
    'Tracker "fake" is slower than the run: it lacks rows from step 5 on. events.jsonl has all of them.',
  ]);
  gate.resolve();
  await tracking.close();
  expect(kept).toEqual([1, 2, 3, 4]);
  expect(warnings).toHaveLength(1);
  expect(tracking.hints).toEqual(["hint"]);
});

test.each([
  ["when it is made", undefined],
  ["when it starts", tracker({ start: () => Promise.reject(new Error("no start")) })],
  ["when it writes", tracker({ write: () => Promise.reject(new Error("no write.")) })],
  ["when it ends", tracker({ finish: () => Promise.reject(new Error("no end")) })],
])("one that fails %s warns once, as an event of the run", async (_, failing) => {
  const create = (): Tracker => {
    if (failing === undefined) throw new Error("no tracker");
    return failing;
  };
  const { tracking, warnings } = tracked(tracker({}), { trackers: { fake: create } });
  for (const event of [started(), ...eventsOf(1, LAST), finished]) tracking.record(event);
  await tracking.close();
  await tracking.close();
  expect(warnings).toEqual([
    expect.stringMatching(/^Tracker "fake" failed and is left out from here on: no \w+\. The run goes on;/),
  ]);
});

test("steps that are done again after a fault are kept as they were first", async () => {
  const kept: number[] = [];
  const write = (given: readonly MetricRow[]): Promise<void> => {
    kept.push(...given.map(({ step }) => step));
    return Promise.resolve();
  };
  const { tracking } = tracked(tracker({ write }));
  const events = [...eventsOf(1, 6), ...eventsOf(4, LAST)];
  for (const event of [started(), ...events, finished]) tracking.record(event);
  await tracking.close();
  expect(kept).toEqual(Array.from({ length: LAST }, (_, i) => i + 1));
});

test("a run that ended before its first event has nothing to track", async () => {
  const { tracking, warnings } = tracked(tracker({ start: () => Promise.reject(new Error("never")) }));
  await tracking.close();
  expect(warnings).toEqual([]);
});
