import { createRandom, type FaultHappened, type RunEvent } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readHistory } from "./history.ts";
import { faultyRun } from "./test/faultyRun.ts";
import { sampleRun } from "./test/sampleRun.ts";

const stepDone = (step: number, time: number, bytesSent = time): RunEvent => ({
  type: "step",
  step,
  loss: 10 * step + time,
  learningRate: 0.1,
  examples: time,
  time,
  bytesSent,
});

const rolledBack = (step: number, time: number): FaultHappened => ({
  type: "fault",
  kind: "rolledBack",
  time,
  ranks: [0, 1],
  message: "Back.",
  step,
});

test("without roll-backs the history is the log", () => {
  const { events } = sampleRun({ steps: 40 });
  const history = readHistory(events);
  const steps = events.filter((event) => event.type === "step");
  expect(history.steps.step).toEqual(steps.map(({ step }) => step));
  expect(history.steps.bytesSent).toEqual(steps.map(({ bytesSent }) => bytesSent));
  expect(history.evaluations).toEqual(events.filter((event) => event.type === "evaluation"));
  expect(history).toMatchObject({ undone: [], resumptions: [], turns: [], undoneEvaluations: 0 });
});

test("a roll-back undoes the steps after its checkpoint; each step counts as it was done last", () => {
  const events = [stepDone(1, 1), stepDone(2, 2), stepDone(3, 3), rolledBack(1, 4), stepDone(2, 5)];
  const { steps, undone, resumptions, turns } = readHistory([...events, rolledBack(2, 6), stepDone(3, 7)]);
  expect(steps).toMatchObject({ step: [1, 2, 3], time: [1, 5, 7], loss: [11, 25, 37] });
  expect(undone.map(({ step }) => step)).toEqual([[2, 3]]);
  expect(resumptions).toEqual([1, 2]);
  expect(turns).toEqual([
    { kind: "rolledBack", time: 4, step: 3, bytesSent: 3 },
    { kind: "rolledBack", time: 6, step: 2, bytesSent: 5 },
  ]);
});

test("a log that lost its roll-backs comes to the same steps", () => {
  const { events } = faultyRun({ steps: 200, rate: 0.3, rollBacks: 0.4 });
  const without = events.filter((event) => event.type !== "fault");
  expect(readHistory(without).steps).toEqual(readHistory(events).steps);
});

test("time and bytes never fall, though who takes part in a step changes", () => {
  const { steps } = readHistory([stepDone(1, 5, 100), stepDone(2, 4, 60), stepDone(3, 6, 90)]);
  expect(steps).toMatchObject({ time: [5, 5, 6], bytesSent: [100, 100, 100], loss: [15, 24, 36] });
});

test("whatever is lost of the log, steps that count ascend, and no step is lost", () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (seed, kept) => {
      const random = createRandom(seed);
      const { events } = faultyRun({ steps: 60, rate: 0.4, rollBacks: 0.5, seed });
      const read = events.filter(() => random.uniform() <= kept);
      const { steps, undone, evaluations, undoneEvaluations, resumptions } = readHistory(read);
      for (const columns of [steps, ...undone])
        for (const values of [columns.step, columns.time, columns.bytesSent])
          expect(values).toEqual([...values].sort((a, b) => a - b));
      expect(new Set(steps.step).size).toBe(steps.step.length);
      const count = (type: RunEvent["type"]): number => read.filter((event) => event.type === type).length;
      const undoneSteps = undone.reduce((total, { step }) => total + step.length, 0);
      expect(steps.step.length + undoneSteps).toBe(count("step"));
      expect(evaluations.length + undoneEvaluations).toBe(count("evaluation"));
      for (const i of resumptions) expect(i).toBeLessThan(steps.step.length);
    }),
  );
});
