// Every strategy from the command line, with nothing but its name and the number of nodes: it runs, and it learns.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strategyEntries } from "@atoll/train";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "./test/command.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-cli-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const STEPS = 60;
const DIGITS =
  `train digits trainSize=2000 testSize=50 batchSize=32 valSize=0 maxSteps=${STEPS} nodes=4`.split(" ");
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

test.each(strategyEntries.map(({ name }) => name))(
  "strategy=%s nodes=4 runs and learns",
  async (strategy) => {
    const { exitCode, error } = await runCommand(
      [...DIGITS, `strategy=${strategy}`, "--name", strategy],
      directory,
    );
    expect(exitCode, error).toBe(0);
    const events = await readFile(join(directory, "runs", strategy, "events.jsonl"), "utf8");
    const losses = events
      .split("\n")
      .filter((line) => line.includes('"type":"step"'))
      .map((line) => (JSON.parse(line) as { readonly loss: number }).loss);
    expect(losses).toHaveLength(STEPS);
    expect(mean(losses.slice(-5))).toBeLessThan(0.8 * mean(losses.slice(0, 5)));
  },
);
