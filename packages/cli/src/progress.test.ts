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

const started = { type: "runStarted", maxSteps: 400 } as RunEvent;
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

test("a loss that is no number is said once, in words", () => {
  const { progress, text } = screen(false, 80, 1);
  progress.show(started);
  for (let step = 1; step <= 3; step++) progress.show({ ...stepDone(step), loss: Number.NaN });
  expect(text().match(/step 1: the training loss is NaN: the run has diverged/g)).toHaveLength(1);
  expect(text()).not.toContain("step 2: the training loss");
});
