// A run that meets faults, from the command line: what it prints and what it leaves on disk.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-faults-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const readRun = (name: string, file: string): Promise<string> =>
  readFile(join(directory, "runs", name, file), "utf8");

const DIGITS = "train digits trainSize=400 testSize=50 batchSize=8 valSize=20 nodes=4 seed=3".split(" ");
const WAN = ["network.profile=wan", "strategy=ddp", "maxSteps=24", "valInterval=5"];

const crashes = (...times: readonly (readonly [node: number, at: number, rejoin: number])[]): string =>
  `faults.schedule=${JSON.stringify(times.map(([node, at, rejoin]) => ({ kind: "crash", node, at, rejoin })))}`;

test("roll-backs: told in words, counted, and the steps done again are in the files each time", async () => {
  const faults = [crashes([1, 2, 2.5], [2, 5, 6]), "faults.recovery=checkpoint", "faults.whenMissing=wait"];
  const argv = [...DIGITS, ...WAN, ...faults, "checkpointInterval=6", "--name", "back", "--json"];
  const { exitCode, output, error } = await runCommand(argv, directory);
  expect(exitCode).toBe(0);
  const summary = JSON.parse(output) as Record<string, unknown>;
  expect(summary.faults).toEqual({
    crashes: 2,
    recoveries: 0,
    rollBacks: 2,
    stragglers: 0,
    outages: 0,
    nodesLeft: 4,
  });
  expect(JSON.parse(await readRun("back", "summary.json"))).toEqual(summary);
  expect(error).toContain("at 2 s: Node 1 crashed, and is down until 2.50 s.\n");
  expect(error).toContain(
    "\nfaults            2 crashes, no recoveries, 2 roll-backs\nnodes at the end  4 of 4\n",
  );
  expect(error.match(/step 5: validation/g)).toHaveLength(1);

  const rows = (await readRun("back", "train.csv")).trimEnd().split("\n").slice(1);
  const steps = rows.map((row) => Number(row.split(",")[0]));
  expect(new Set(steps).size).toBe(24);
  expect(steps.length).toBeGreaterThan(24);
  expect(steps.filter((step, i) => step < (steps[i - 1] ?? 0))).toHaveLength(2);
  const report = await readRun("back", "report.html");
  expect(report).toContain("node 1 crashes at 2 s and is up again at 2.50 s");
  expect(report).toContain('class="line undone"');
});

test("a run without faults has no count of them", async () => {
  const { output } = await runCommand([...DIGITS, "maxSteps=2", "--json"], directory);
  expect(JSON.parse(output)).not.toHaveProperty("faults");
});

test("faults of all parts of a resumed run count", async () => {
  const faults = [
    crashes([1, 0.5, 0.9], [3, 3, 3.4]),
    "faults.whenMissing=timeout",
    "faults.whenMissing.seconds=0.1",
  ];
  const argv = [...DIGITS, ...WAN, ...faults, "checkpointInterval=6"];
  const whole = await runCommand([...argv, "--name", "whole", "--json"], directory);
  const stop = new AbortController();
  const broken = await runCommand([...argv, "--name", "broken"], directory, {
    signal: stop.signal,
    watch(line) {
      if (line.includes("step 10/24")) stop.abort();
    },
  });
  expect([whole.exitCode, broken.exitCode]).toEqual([0, 130]);
  const resumed = await runCommand(["train", "digits", "--name", "broken", "--resume", "--json"], directory);
  expect(resumed.exitCode).toBe(0);
  const [expected, got] = [whole, resumed].map(({ output }) => JSON.parse(output) as Record<string, unknown>);
  expect(got!.faults).toEqual(expected!.faults);
  expect(expected!.faults).toMatchObject({ crashes: 2, nodesLeft: 4 });
  expect(await readRun("broken", "train.csv")).toBe(await readRun("whole", "train.csv"));
});

test.each([
  [
    "faults.whenMissing.seconds=3",
    'Option "faults.whenMissing.seconds": expected only with faults.whenMissing=timeout or quorum, got faults.whenMissing=strategy. Add faults.whenMissing=timeout',
  ],
  [
    'faults.schedule=[{"kind":"crash","nod":1,"at":2}]',
    'Unknown option "faults.schedule[0].nod". Did you mean "faults.schedule[0].node"?',
  ],
  [
    'strategy=sgp strategy.overlap=1 faults.schedule=[{"kind":"partition","groups":[[1]],"from":0.2}]',
    "leaves 2 of 3 nodes connected for good, but nodes cannot go on without each other",
  ],
])("refused: %s", async (line, message) => {
  const { exitCode, error } = await runCommand(["train", "digits", "nodes=3", ...line.split(" ")], directory);
  expect(exitCode).toBe(2);
  expect(error).toContain(message);
});
