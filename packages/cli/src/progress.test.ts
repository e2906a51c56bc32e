// What a person sees of a run while it goes: a redrawn bar on a terminal, a few plain lines elsewhere.

import type { RunEvent, StepDone } from "@atoll/core";
import { expect, test } from "vitest";
import { Progress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

interface Screen {
  readonly progress: Progress;
  /** All that was written. */
  readonly text: () => string;
}

/** Progress on a terminal whose clock moves by `tickMs` each time it is read. */
function screen(interactive: boolean, columns: number, tickMs: number): Screen {
  let written = "";
  let time = 0;
  const terminal = {
    interactive,
    columns,
    error(text: string): void {
      written += text;
    },
    now: () => {
      time += tickMs;
      return time;
    },
  };
  return { progress: new Progress(terminal as unknown as Terminal), text: () => written };
}

const started = { type: "runStarted", config: {}, maxSteps: 400 } as RunEvent;
const finished = { type: "runFinished" } as RunEvent;
const stepDone = (step: number): StepDone => ({
  type: "step",
  step,
  loss: 0.5,
  learningRate: 1e-3,
  examples: 64 * step,
  time: step / 10,
  bytesSent: 1e6 * step,
});

function run({ progress }: Screen): void {
  progress.show(started);
  for (let step = 1; step <= 400; step++) progress.show(stepDone(step));
  progress.show(finished);
}

test("elsewhere: about twenty plain lines, the last step among them, no control characters", () => {
  const plain = screen(false, 80, 1);
  run(plain);
  const lines = plain.text().trimEnd().split("\n");
  expect(lines).toHaveLength(20);
  expect(lines[0]).toBe("step  20/400  loss 0.5000  lr 0.00100  simulated 2 s  sent 20 MB a node");
  expect(lines.at(-1)).toContain("step 400/400");
  for (const control of ["\r", "\u001b"]) expect(plain.text()).not.toContain(control);
});

test.each([40, 80, 120])(
  "on a terminal of %i columns: one line, redrawn, never wrapped, ended once",
  (columns) => {
    const bar = screen(true, columns, 60);
    run(bar);
    const frames = bar.text().split("\r\u001b[K").slice(1);
    expect(frames.length).toBeGreaterThan(100);
    for (const frame of frames) {
      expect([...frame.trimEnd()].length).toBeLessThan(columns);
      expect(frame).toMatch(/(step +\d+\/400|loss 0\.5000|lr 0\.00100|simulated \S+ m?s|a node)\n?$/); // No fact is cut.
    }
    expect(bar.text().match(/\n/g)).toHaveLength(1);
    expect(frames.at(-1)).toMatch(/400\/400/);
  },
);

test("a note clears the bar and stands on a line of its own", () => {
  const bar = screen(true, 80, 200);
  bar.progress.show(started);
  bar.progress.show(stepDone(1));
  bar.progress.show({ type: "checkpoint", step: 1, path: "runs/a/checkpoints/00000001" });
  expect(bar.text()).toContain("\r\u001b[Kstep 1: checkpoint runs/a/checkpoints/00000001\n");
});

test("a download is one redrawn line on a terminal, and its name once elsewhere", () => {
  const url = "https://example.org/file.gz";
  for (const interactive of [true, false]) {
    const shown = screen(interactive, 80, 200);
    for (const receivedBytes of [1e6, 2e6, 3e6])
      shown.progress.download({ url, receivedBytes, totalBytes: 3e6 });
    if (interactive) expect(shown.text()).toContain(`\r\u001b[Kdownloading ${url}  3 MB of 3 MB`);
    else expect(shown.text()).toBe(`downloading ${url}\n`);
  }
});

const crash = (time: number): RunEvent => ({
  type: "fault",
  kind: "crash",
  time,
  ranks: [1],
  message: "Node 1 crashed.",
});

test.each([true, false])(
  "faults: the first ones in words, the rest counted (interactive %s)",
  (interactive) => {
    const { progress, text } = screen(interactive, 80, 400);
    progress.show(started);
    for (let i = 0; i < 5000; i++) progress.show(crash(i));
    expect(text()).toContain("at 0 s: Node 1 crashed.\nat 1 s: Node 1 crashed.\n");
    expect(text().match(/Node 1 crashed/g)).toHaveLength(20);
    progress.show(finished);
    expect(text()).toMatch(/… and 4980 more faults\n$/);
  },
);

test("faults that come all at once are a few lines, and those between are counted before the next", () => {
  const { progress, text } = screen(false, 80, 10);
  for (let i = 0; i < 101; i++) progress.show(crash(1));
  expect(text().trimEnd().split("\n")).toEqual([
    ...new Array<string>(5).fill("at 1 s: Node 1 crashed."),
    "… and 95 more faults",
    "at 1 s: Node 1 crashed.",
  ]);
});

test("steps that are done again after a roll-back give no second plain line, nor do their evaluations", () => {
  const { progress, text } = screen(false, 80, 1);
  const loss = { local: 1, global: 1 };
  progress.show(started);
  for (const last of [50, 70]) {
    for (let step = 1; step <= last; step++) progress.show(stepDone(step));
    const { step, time, bytesSent } = stepDone(30);
    progress.show({ type: "evaluation", split: "validation", step, time, bytesSent, loss, accuracy: null });
  }
  expect(text().match(/step 30: validation/g)).toHaveLength(1);
  expect(text().match(/step +\d+(?=\/)/g)).toEqual(["step  20", "step  40", "step  60"]);
});

test("a warning is shown once", () => {
  const { progress, text } = screen(false, 80, 1);
  for (let i = 0; i < 3; i++) progress.show({ type: "warning", message: "Ring instead." });
  expect(text()).toBe("warning: Ring instead.\n");
});

test("a loss that is no number is said once, in words", () => {
  const { progress, text } = screen(false, 80, 1);
  progress.show(started);
  for (let step = 1; step <= 3; step++) progress.show({ ...stepDone(step), loss: Number.NaN });
  expect(text().match(/step 1: the training loss is NaN: the run has diverged/g)).toHaveLength(1);
  expect(text()).not.toContain("step 2: the training loss");
});
