import { expect, test } from "vitest";
import { describeChoice, finalEvaluation, interpretRun, meanBytesSent, simulatedSeconds } from "./run.ts";
import { sampleRun } from "./test/sampleRun.ts";

test("a run that was killed is judged by what it had done", () => {
  const record = sampleRun({ steps: 60, outcome: "unfinished" });
  const events = record.events.filter((event) => event.type !== "evaluation");
  const run = interpretRun({ ...record, events });
  const last = record.events.findLast((event) => event.type === "step")!;
  expect(run.outcome).toEqual({ kind: "unfinished" });
  expect([run.stepsDone, simulatedSeconds(run), meanBytesSent(run)]).toEqual([60, last.time, last.bytesSent]);
  expect(finalEvaluation(run)).toBeNull();
});

test("a run whose last losses are no numbers has diverged, from where they began to be none", () => {
  const diverged = (from: number, until = Number.POSITIVE_INFINITY) =>
    interpretRun(
      sampleRun({ steps: 60, bend: (loss, step) => (step >= from && step < until ? Number.NaN : loss) }),
    ).outcome;
  expect(diverged(41)).toEqual({ kind: "diverged", since: 41 });
  expect(diverged(1)).toEqual({ kind: "diverged", since: 1 });
  expect(diverged(41, 50)).toEqual({ kind: "completed" });
  expect(diverged(61)).toEqual({ kind: "completed" });
  const record = sampleRun({ steps: 60 });
  const events = record.events.map((event) =>
    event.type === "evaluation" && event.step === 60
      ? { ...event, loss: { local: 1, global: Number.POSITIVE_INFINITY } }
      : event,
  );
  expect(interpretRun({ ...record, events }).outcome).toEqual({ kind: "diverged", since: 60 });
  expect(interpretRun(sampleRun({ bend: () => Number.NaN, outcome: "failed" })).outcome.kind).toBe("failed");
});

test("the test set decides; without one, the last validation", () => {
  const record = sampleRun();
  const withoutTest = record.events.filter((event) => event.type !== "evaluation" || event.split !== "test");
  expect(finalEvaluation(interpretRun(record))?.split).toBe("test");
  expect(finalEvaluation(interpretRun({ ...record, events: withoutTest }))).toMatchObject({
    split: "validation",
    step: 300,
  });
});

test("a resumed run is one run: the last start holds, the steps are those of the log", () => {
  const { events, ...record } = sampleRun({ steps: 20, outcome: "unfinished" });
  const start = events.find((event) => event.type === "runStarted")!;
  const resumed = [...events.slice(0, 14), { ...start, resumedFrom: 12, maxSteps: 99 }, ...events.slice(14)];
  const run = interpretRun({ ...record, events: resumed });
  expect(run.started).toMatchObject({ resumedFrom: 12, maxSteps: 99 });
  expect(run.steps.step).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
});

test("without config.json the options of the first event hold", () => {
  const record = sampleRun();
  expect(interpretRun({ ...record, config: {} }).settings).toMatchObject({ data: "digits", maxSteps: 300 });
});

test("a choice reads in one line", () => {
  expect(describeChoice("digits")).toBe("digits");
  expect(describeChoice({ kind: "fedavg", H: 20, inner: { kind: "sgd" } })).toBe("fedavg (H=20)");
  expect(describeChoice({ alpha: 0.5 })).toBe("alpha=0.5");
  expect(describeChoice(["a", 1])).toBe("a, 1");
  expect([describeChoice(undefined), describeChoice(null), describeChoice({})]).toEqual([null, null, null]);
});
