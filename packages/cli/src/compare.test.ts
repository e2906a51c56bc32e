// atoll compare: the whole matrix from as few trainings as learn differently, failures and interrupts included.

import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type MatrixRun, planMatrix, trainingsOf } from "./compare/matrix.ts";
import { shareCores } from "./compare/runMatrix.ts";
import { digits } from "./experiments/digits.ts";
import { type CommandOptions, type CommandResult, runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-compare-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const SMALL = "trainSize=200 testSize=20 batchSize=4 valSize=10 valInterval=2 maxSteps=6";
const atoll = (line: string, options?: CommandOptions): Promise<CommandResult> =>
  runCommand(line.split(" ").filter(Boolean), directory, options);
const compare = (line: string, options?: CommandOptions): Promise<CommandResult> =>
  atoll(`compare digits ${SMALL} ${line} --json`, options);

const plan = (line: string, repeats = 1): Promise<readonly MatrixRun[]> =>
  planMatrix({ experiment: digits, given: line.split(" "), repeats, workingDirectory: directory });

test("networks share a training, as far as they add up alike; seeds, nodes and asynchronous runs do not", async () => {
  const networks = "network.profile=datacenter,wan network.topology=ring,star";
  expect(trainingsOf(await plan(networks)).map(({ runs }) => runs.map(({ name }) => name))).toEqual([
    ["datacenter-ring", "wan-ring"],
    ["datacenter-star", "wan-star"],
  ]);
  expect(trainingsOf(await plan(`${networks} allReduce=ring`))).toHaveLength(1);
  expect(trainingsOf(await plan(`${networks} allReduce=auto`))).toHaveLength(4);
  expect(trainingsOf(await plan(`${networks} nodes=2,4`, 3))).toHaveLength(12);
  expect(trainingsOf(await plan(`strategy=adpsgd nodes=3 ${networks}`))).toHaveLength(4);
});

test("options of a choice go to those that have it", async () => {
  const runs = await plan("strategy=ddp,diloco,fedavg strategy.H=5,10");
  expect(runs.map(({ label }) => label)).toEqual([
    "strategy=ddp",
    "strategy=diloco strategy.H=5",
    "strategy=diloco strategy.H=10",
    "strategy=fedavg strategy.H=5",
    "strategy=fedavg strategy.H=10",
  ]);
  await expect(plan("strategy=ddp,sgp strategy.H=5,10")).rejects.toThrow(/strategy\.H/);
});

test("an option for one value of the matrix goes to that cell, whose strategy has to have it", async () => {
  const runs = await plan("strategy=ddp,fedavg,diloco strategy.H=5 diloco:strategy.H=10,20 nodes=2");
  expect(runs.map(({ label, name, pairs }) => [label, name, pairs.join(" ")])).toEqual([
    ["strategy=ddp", "ddp", "strategy=ddp nodes=2 seed=0"],
    ["strategy=fedavg strategy.H=5", "fedavg-5", "strategy=fedavg strategy.H=5 nodes=2 seed=0"],
    ["strategy=diloco strategy.H=10", "diloco-10", "strategy=diloco strategy.H=10 nodes=2 seed=0"],
    ["strategy=diloco strategy.H=20", "diloco-20", "strategy=diloco strategy.H=20 nodes=2 seed=0"],
  ]);
  const tori = await plan(
    "nodes=4 network.topology=ring,torus torus:network.dimensions=[2,2] allReduce=ring",
  );
  expect(trainingsOf(tori).map((training) => training.runs.map(({ label }) => label))).toEqual([
    ["network.topology=ring", "network.topology=torus"],
  ]);
});

test("small trainings run beside each other, large ones have all cores", async () => {
  const trainings = trainingsOf(await plan("nodes=1 seed=0 strategy=ddp,diloco,sparta"));
  expect(shareCores(trainings, 8)).toEqual({ lanes: 3, threads: 2 });
  expect(shareCores(trainingsOf(await plan("nodes=2,16")), 8)).toEqual({ lanes: 1, threads: 8 });
  expect(shareCores(trainingsOf(await plan("nodes=2,16 workers=4")), 8)).toEqual({ lanes: 2, threads: 4 });
});

test("every cell has the numbers of a run by itself, repriced or not, and its directory", async () => {
  const { exitCode, output, error } = await compare(
    "strategy=ddp,diloco strategy.H=3 network.profile=wan,mobile nodes=3 --repeat 2 --name matrix",
  );
  expect(exitCode).toBe(0);
  expect(error).toContain("8 runs from 4 trainings");
  expect(error).toMatch(/network\.profile=mobile: strategy=diloco comes to loss/);
  const { cells, target } = JSON.parse(output);
  expect(target.given).toBe(false);
  expect(cells).toHaveLength(4);
  const own = await atoll(
    `train digits ${SMALL} strategy=diloco strategy.H=3 network.profile=mobile nodes=3 seed=1 --json`,
  );
  const { simulatedSeconds, loss, bytesSent } = JSON.parse(own.output);
  expect(cells[3].label).toBe("strategy=diloco network.profile=mobile");
  expect(cells[3].runs[1]).toMatchObject({
    seed: 1,
    simulatedSeconds,
    loss: loss.global,
    totalBytes: bytesSent.reduce((sum: number, sent: number) => sum + sent),
  });
  expect(await readdir(join(directory, "runs", "matrix"))).toEqual(
    expect.arrayContaining(["comparison.json", "report.html"]),
  );
  const repriced = join(directory, "runs", "matrix", "diloco-mobile-seed1");
  expect((await readdir(repriced)).sort()).toEqual(
    expect.arrayContaining(["config.json", "events.jsonl", "report.html", "summary.json", "train.csv"]),
  );
  const again = await atoll(
    `reprice ${join("runs", "matrix", "diloco-mobile-seed1")} network.profile=wan --json`,
  );
  expect(JSON.parse(again.output).networks[0].simulatedSeconds).toBe(cells[2].runs[1].simulatedSeconds);
});

test("a run that fails does not stop the others: its reason is shown, and the code is 1", async () => {
  const crash = 'faults.schedule=[{"kind":"crash","node":1,"at":1e-9,"rejoin":0.001}]';
  const { exitCode, output, error } = await compare(
    `strategy=sgp,fedavg strategy.overlap=1 ${crash} nodes=3`,
  );
  expect(exitCode).toBe(1);
  expect(error).toMatch(/FAILED {2}strategy=sgp: .*cannot go on without it/);
  const { cells } = JSON.parse(output);
  expect(
    cells.map(({ failures, runs }: { failures: []; runs: [] }) => [failures.length, runs.length]),
  ).toEqual([
    [1, 0],
    [0, 1],
  ]);
});

test("an interrupted comparison is gone on with, to the same result", async () => {
  const line = "strategy=ddp,fedavg strategy.H=2 nodes=2 network.profile=wan,mobile";
  const whole = JSON.parse((await compare(`${line} --name whole`)).output);
  const interrupt = new AbortController();
  const watch = (text: string): void => {
    if (text.startsWith("[1/")) interrupt.abort();
  };
  const broken = await compare(`${line} --name broken`, { signal: interrupt.signal, watch });
  expect(broken.exitCode).toBe(130);
  expect(broken.error).toContain("--name broken");
  expect(existsSync(join(directory, "runs", "broken", "comparison.json"))).toBe(false);
  const resumed = await compare(`${line} --name broken`);
  expect(resumed.error).toContain("was done before");
  expect(JSON.parse(resumed.output)).toEqual({ ...whole, directory: join(directory, "runs", "broken") });
  const other = await compare(`${line} batchSize=5 --name broken`.replace("strategy.H=2 ", "strategy.H=3 "));
  expect(other.exitCode).toBe(2);
  const fewer = await compare(`${line.replace("wan,mobile", "wan")} --name broken`);
  expect(fewer.exitCode).toBe(2);
  expect(fewer.error).toMatch(/Comparison "broken" has runs that this one leaves out, such as ".*mobile"/);
  const more = await compare(`${line.replace("wan,mobile", "wan,mobile,datacenter")} --name broken`);
  expect(more.exitCode).toBe(0);
  expect(JSON.parse(more.output).cells).toHaveLength(6);
});

test.each([
  ["", /Expected an experiment first, got nothing/],
  ["digits nodes=2 --repeat 0", /Flag "--repeat": expected a whole number of at least 1, got "0"/],
  ["digits nodes=2 --target-loss low", /Flag "--target-loss": expected a number, got "low"/],
  ["digits seed=1,2", /Write seed=1 --repeat 2/],
  ["digits mode=simulated,processes", /a comparison is of simulated runs, got mode=simulated,processes/],
  ["digits nodse=2,3", /Unknown option "nodse"\. Did you mean "nodes"/],
  ["digits strategy=ddp,dilocco", /Did you mean "diloco"/],
  ["digits --target 3", /Unknown flag "--target"/],
  [
    "digits nodes=2 strategy=ddp,diloco record=outerCosine",
    /strategy=ddp: Option "record": strategy "ddp" has no outerCosine: .* Nothing has been run\./,
  ],
  [
    "digits nodes=3 network.topology=ring,custom",
    /network\.topology=custom: The topology custom needs the option "network\.edges"/,
  ],
  [
    'digits nodes=2 strategy=fedavg,ddp faults.schedule=[{"kind":"crash","node":1,"at":1}]',
    /strategy=ddp: Option "faults\.schedule": the crash of node 1 from 1 s on leaves 1 of 2 nodes/,
  ],
  ["digits --name a/b", /Comparison name "a\/b"/],
  [
    "digits nodes=2 strategy=ddp,fedavg ddp:strategy.H=5",
    /strategy=ddp: Option "strategy\.H": expected only with .* Nothing has been run\./,
  ],
  [
    "digits network.profile=lan,wan wan:seed=3",
    /Option "seed": expected the first seed of all repeats, got 3/,
  ],
  ["digits nodes=2 network.profile=wan wan:mode=processes", /a comparison is of simulated runs/],
  [
    "digits nodes=2 strategy=ddp,fedavg,diloco strategy.H=0,5",
    /atoll: strategy=fedavg strategy\.H=0: Option "strategy\.H": expected .* got 0\. Nothing has been run\./,
  ],
  [
    "digits nodes=2 strategy=ddp,dgc optimizer=adamw",
    /atoll: strategy=dgc: Strategy "dgc" keeps the momentum itself .* Nothing has been run\./,
  ],
  [
    "digits nodes=2 strategy=ddp,fedavg minibatchSize=7",
    /atoll: Option "minibatchSize": expected a divisor [^:]*$/,
  ],
  [
    "digits trainSize=200 nodes=2,300 strategy=ddp",
    /atoll: nodes=300: Cannot spread 200 examples of "digits" over 300 nodes: .* Nothing has been run\./,
  ],
  [
    "digits trainSize=200 batchSize=4 nodes=4 partition=shuffled,labelShards labelShards:partition.shardsPerNode=2,80",
    /atoll: partition=labelShards partition\.shardsPerNode=80: Cannot cut .* Nothing has been run\./,
  ],
  [
    "digits trainSize=200 nodes=2 model=mlp strategy=ddp,streamingdiloco strategy.fragments=7",
    /atoll: strategy=streamingdiloco: Option "strategy\.fragments": expected at most .* Nothing has been run\./,
  ],
])("refused: compare %s", async (line, message) => {
  const { exitCode, error } = await atoll(`compare ${line}`);
  expect(error).toMatch(message);
  expect(exitCode).toBe(2);
  expect(existsSync(join(directory, "runs"))).toBe(false);
});
