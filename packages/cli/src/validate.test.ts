// Validation: which cases there are, and that a case is run both ways. How well times agree is for a quiet machine to say.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadExperiment } from "./loadExperiment.ts";
import { describeLinks } from "./progress.ts";
import { runCommand, testTerminal } from "./test/command.ts";
import { casesOf } from "./validate/cases.ts";
import { runCase } from "./validate/runCase.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-validate-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("cases are the combinations of the options, and three that are hard", async () => {
  const experiment = await loadExperiment("digits", directory);
  const cases = await casesOf(experiment, ["network.profile=wan,mobile", "strategy=fedavg"], directory);
  expect(cases.map(({ label }) => label)).toEqual([
    "network.profile=wan",
    "network.profile=mobile",
    "incast star",
    "mixed RTT",
    "both ways",
  ]);
  for (const { config } of cases)
    expect(config.run).toMatchObject({
      mode: "processes",
      nodes: 3,
      maxSteps: 20,
      valSize: 0,
      strategy: { kind: "fedavg" },
      compute: { kind: "real" },
    });
});

test("a case takes as many steps both ways, and is compared by its times", async () => {
  const experiment = await loadExperiment("digits", directory);
  const options = ["trainSize=200", "testSize=20", "batchSize=8", "nodes=2", "maxSteps=3"];
  const [first] = await casesOf(
    experiment,
    [...options, "network.latency=0.05", "network.loss=0"],
    directory,
  );
  const terminal = testTerminal(directory);
  const links: (string | undefined)[] = [];
  const { steps, predicted, measured, error } = await runCase(first!, {
    named: "digits",
    experiment,
    terminal,
    onStarted: (event) => void links.push(describeLinks(event)),
  });
  expect(links).toEqual(["links shaped in user space", undefined]);
  expect(steps).toBe(3);
  // Three all-reduces of two rounds each take at least six latencies, however fast the machine is.
  for (const { seconds, communication } of [predicted, measured]) {
    expect(seconds).toBeGreaterThan(0.3);
    expect(communication).toBeGreaterThan(0.25);
  }
  expect(error).toBeCloseTo((predicted.seconds - measured.seconds) / measured.seconds, 12);
});

test("what simulated time only supposes is not held against real processes", async () => {
  const experiment = await loadExperiment("digits", directory);
  await expect(casesOf(experiment, ["strategy=ddp", "strategy.buckets=4"], directory)).rejects.toThrow(
    /Strategy "ddp": .* what-if of simulated time.* Leave strategy\.buckets out\./,
  );
});

test("an experiment has to be named", async () => {
  const { exitCode, error } = await runCommand(["validate", "network.profile=wan"], directory);
  expect({ exitCode, error }).toMatchObject({
    exitCode: 2,
    error: expect.stringContaining("Expected an experiment first"),
  });
});
