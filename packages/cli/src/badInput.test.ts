// What the command says to bad options: one sentence that says where, what was expected, what came and what to do; the
// exit code; nothing on standard output; no run directory left behind. Bad files are badFiles.test.ts's.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RunWorkers } from "./runWorkers.ts";
import { type CommandOptions, type CommandResult, runCommand } from "./test/command.ts";
import { expectRefusalIn } from "./test/refusal.ts";
import { QUICK } from "./test/smallRuns.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-cli-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const atoll = (line: string, options?: CommandOptions): Promise<CommandResult> =>
  runCommand(line.split(" "), directory, options);

const expectRefusal = (line: string, exitCode: number, message: RegExp): Promise<void> =>
  expectRefusalIn(directory, line, exitCode, message);

test("a refusal is said before the threads end that were started early", async () => {
  const order: string[] = [];
  const { [Symbol.asyncDispose]: dispose } = RunWorkers.prototype;
  vi.spyOn(RunWorkers.prototype, Symbol.asyncDispose).mockImplementation(async function (this: RunWorkers) {
    order.push("threads");
    await dispose.call(this);
  });
  const watch = (text: string): unknown => order.push(text);
  for (const line of ["train digits nodes=three", `${QUICK} nodes=500`]) {
    order.length = 0;
    expect((await atoll(line, { watch })).exitCode).toBe(2);
    expect(order).toEqual([expect.stringMatching(/^atoll: /), "threads"]);
  }
  vi.restoreAllMocks();
});

test.each<[string, string, RegExp]>([
  ["unknown command", "trian digits", /Unknown command "trian"\. Did you mean "train"\?/],
  ["no experiment", "train", /Expected an experiment first, got nothing\. Example: npx atoll train digits/],
  ["no experiment but options", "train nodes=3", /Expected an experiment first, got "nodes=3"/],
  ["unknown experiment", "train digit", /Unknown experiment "digit"\. Did you mean "digits"\?/],
  ["unknown flag", "train digits --jsn", /Unknown flag "--jsn"\. Did you mean "--json"\?/],
  [
    "option written as a flag",
    "train digits --nodes=3",
    /Unknown flag "--nodes".* without dashes: nodes=3\./,
  ],
  [
    "option written as a flag, its value apart",
    "train digits --nodes 3",
    /Unknown flag "--nodes"\. Options .* without dashes: nodes=3\. Known: --json/,
  ],
  [
    "flag with its value, mistyped",
    "train digits --nmae=a",
    /Unknown flag "--nmae"\. Did you mean "--name"\?/,
  ],
  ["short flag", "train digits -n", /Unknown flag "-n"\. Known: --json, --name/],
  ["flag without its value", "train digits --name", /Flag "--name": expected a value after it/],
  ["flag with an empty value", "train digits --name=", /Flag "--name": expected a value after it/],
  ["flag with a value too many", "train digits --json=1", /Flag "--json": expected no value, got "1"/],
  ["no value", "train digits nodes", /Expected key=value, got "nodes"/],
  ["no name", "train digits =3", /Expected key=value, got "=3"/],
  ["unknown option", "train digits node=3", /Unknown option "node"\. Did you mean "nodes"\?/],
  ["unknown inner option", "train digits strategy=fedavg strategy.h=3", /Did you mean "strategy\.H"\?/],
  [
    "option of another choice",
    "train digits strategy.H=5",
    /expected only with strategy=fedavg or .* got strategy=ddp/,
  ],
  [
    "option of another choice in another case",
    "train digits strategy.h=20",
    /Unknown option "strategy\.h"\. Did you mean "strategy\.H"\? It is expected only with strategy=fedavg or .* got strategy=ddp\. Add strategy=fedavg/,
  ],
  [
    "misspelt option of another choice",
    "train digits strategy=ddp strategy.fragmnets=2",
    /Did you mean "strategy\.fragments"\? It is expected only with strategy=streamingdiloco/,
  ],
  [
    "misspelt option of a choice that is not named",
    "train digits optimizer.LearningRate=1",
    /Unknown option "optimizer\.LearningRate"\. Did you mean "optimizer\.learningRate"\? Known here: learningRate/,
  ],
  [
    "an option of a choice that none has",
    "train digits strategy.colour=red",
    /Unknown option "strategy\.colour"\. Known here: buckets\.\n$/,
  ],
  ["unknown choice", "train digits strategy=dilocco", /"dilocco"\. Did you mean "diloco"\?/],
  ["unknown value", "train digits network.profile=wam", /"wam"\. Did you mean "wan"\?/],
  ["text for a number", "train digits nodes=three", /Option "nodes": expected a number, got "three"/],
  ["nothing for a number", "train digits nodes=", /Option "nodes": expected a number, got ""/],
  ["fraction for an integer", "train digits nodes=1.5", /Option "nodes": expected an integer, got 1\.5/],
  ["number for a boolean", "train digits shuffle=1", /Option "shuffle": expected true or false, got 1/],
  ["no nodes", "train digits nodes=0", /Option "nodes": expected .*1, got 0/],
  ["more workers than can start", "train digits workers=9999", /Option "workers": expected .*256, got 9999/],
  ["H below 1", "train digits strategy=fedavg strategy.H=0", /Option "strategy\.H": expected .*1, got 0/],
  [
    "value for a group",
    "train digits network=wan",
    /Option "network": .* as network\.profile=wan, got "wan"/,
  ],
  ["text for a range", "train digits network.latency=low", /expected a number or \[low,high\], got "low"/],
  ["range with one end", "train digits network.latency=[1]", /expected a number or \[low,high\], got \[1\]/],
  [
    "unclosed range",
    "train digits network.latency=[1,2",
    /Option "network\.latency": cannot read \[1,2 as JSON/,
  ],
  [
    "option for a list",
    'train digits faults.schedule={"kind":"crash"}',
    /"faults\.schedule": expected a list, got/,
  ],
  [
    "unknown choice in a list",
    'train digits faults.schedule=[{"kind":"crsh"}]',
    /"faults\.schedule\[0\]": unknown choice "crsh"/,
  ],
  [
    "a fault of no kind",
    'train digits faults.schedule=[{"node":1}]',
    /"faults\.schedule\[0\]\.kind": expected one of straggler, crash, linkDown, partition, got nothing\./,
  ],
  [
    "a NIC one way",
    "train digits network.nic.up=1e6",
    /Option "network\.nic\.down": expected a number, got nothing\./,
  ],
  [
    "a NIC with a typo",
    "train digits network.nic.upp=3",
    /Unknown option "network\.nic\.upp"\. Did you mean "network\.nic\.up"\?/,
  ],
  [
    "another experiment's option of the model",
    "train digits model.size=small",
    /Option "model": expected one of mlp, smallCnn, cnn, without options of its own, got model\.size\. Leave that out\./,
  ],
  [
    "negative bandwidth",
    "train digits trainSize=200 network.bandwidth=-3",
    /network\.bandwidth": expected .* above 0, got -3/,
  ],
  [
    "certain loss",
    "train digits trainSize=200 network.loss=1",
    /network\.loss": expected a probability .* got 1/,
  ],
  [
    "islands larger than the world",
    "train digits trainSize=200 nodes=3 strategy=fedavg strategy.islandSize=9",
    /strategy\.islandSize": expected at most the number of nodes \(3\), got 9/,
  ],
  [
    "batch larger than a share",
    "train digits nodes=3 trainSize=30 batchSize=11",
    /batchSize 11 is larger than node 0's share of 10 examples/,
  ],
  [
    "speeds of too few nodes",
    "train digits trainSize=200 nodes=3 compute.speeds=[1,0.5]",
    /compute\.speeds": expected one for each of the 3 nodes, got 2/,
  ],
  [
    "a speed of nothing",
    "train digits trainSize=200 nodes=2 compute.speeds=[1,0]",
    /compute\.speeds\[1\]": expected a number above 0, got 0/,
  ],
  [
    "speeds given and drawn",
    "train digits trainSize=200 nodes=2 compute.speeds=[1,1] compute.heterogeneity=0.2",
    /"compute\.speeds" and "compute\.heterogeneity" \(0\.2\): give one of them/,
  ],
  [
    "a device that is none",
    'train digits trainSize=200 nodes=2 compute.devices=["h100","h10"]',
    /compute\.devices\[1\]": unknown choice "h10"\. Did you mean "h100"\?/,
  ],
  [
    "a device that is none, by a number",
    "train digits trainSize=200 nodes=2 compute.device=5090",
    /compute\.device": unknown choice "5090"\. Did you mean "4090"\?/,
  ],
  [
    "devices of measured steps",
    'train digits compute=measured compute.devices=["h100"]',
    /compute\.devices": expected only with compute=device, got compute=measured/,
  ],
  [
    "an all-reduce that is none",
    "train digits allReduce=rnig",
    /Option "allReduce": unknown choice "rnig"\. Did you mean "ring"\?/,
  ],
  [
    "more fragments than layers",
    "train digits trainSize=200 nodes=2 strategy=streamingdiloco strategy.fragments=3",
    /strategy\.fragments": expected at most the number of the model's layers \(2: hidden, output\), got 3/,
  ],
  [
    "more fragments than inner steps",
    "train digits nodes=2 strategy=streamingdiloco strategy.H=2 strategy.fragments=3",
    /strategy\.fragments": expected at most H \(2\), got 3/,
  ],
  [
    "more than all of a sparse change",
    "train digits nodes=2 strategy=sparseloco strategy.density=1.5",
    /strategy\.density": expected a number of at most 1, got 1\.5/,
  ],
  [
    "more than all gradients",
    "train digits nodes=2 strategy=dgc strategy.density=2",
    /strategy\.density": expected a number of at most 1, got 2/,
  ],
  [
    "more than all parameters",
    "train digits nodes=2 strategy=sparta strategy.p=1.1",
    /strategy\.p": expected a number of at most 1, got 1\.1/,
  ],
  [
    "more coefficients than a chunk has",
    "train digits nodes=2 strategy=demo strategy.topK=5000",
    /strategy\.topK": expected at most the 4096 coefficients .* 64 × 64 has, got 5000/,
  ],
  [
    "buckets of a strategy that has none",
    "train digits nodes=2 strategy=fedavg strategy.buckets=2",
    /strategy\.buckets": expected only with strategy=ddp, got strategy=fedavg/,
  ],
  [
    "an optimizer that a strategy cannot use",
    "train digits nodes=2 strategy=demo optimizer=adamw",
    /"demo" computes the update itself and needs plain SGD .* Choose optimizer=sgd/,
  ],
  [
    "a torus of another size",
    "train digits trainSize=200 nodes=5 network.topology=torus network.dimensions=[2,2]",
    /network\.dimensions": expected whole numbers whose product is the number of nodes, 5, got \[2,2\]/,
  ],
  [
    "edges that leave a node out",
    "train digits trainSize=200 nodes=3 network.topology=custom network.edges=[[0,1]]",
    /network\.edges": no way from node 0 to node 2/,
  ],
  [
    "more nodes than examples",
    "train digits nodes=3 trainSize=2",
    /Cannot spread 2 examples .* over 3 nodes/,
  ],
  [
    "minibatches that do not add up",
    "train digits trainSize=200 batchSize=64 minibatchSize=10",
    /minibatchSize": expected a divisor of batchSize \(64\), got 10/,
  ],
  [
    "steps and epochs",
    "train digits trainSize=200 maxSteps=10 numEpochs=2",
    /"maxSteps" \(10\) and "numEpochs" \(2\): give one of them/,
  ],
  [
    "a batch of all nodes and another one of each",
    "train digits nodes=4 globalBatchSize=32 batchSize=16",
    /"batchSize" \(16\) and "globalBatchSize" \(32, so 8 on each node\): give one of them/,
  ],
  [
    "a batch that cannot be divided among the nodes",
    "train digits nodes=3 globalBatchSize=32",
    /"globalBatchSize": expected a multiple of the 3 nodes, got 32/,
  ],
  [
    "cosine without an end",
    "train mnist data=digits maxSteps=null numEpochs=1",
    /Option "maxSteps": expected a number, got null/,
  ],
  ["name that is no directory's", "train digits --name ../x", /Run name "\.\.\/x": expected letters/],
  [
    "resuming nothing in particular",
    "train digits --resume",
    /--resume needs to know which run: add --name NAME/,
  ],
  ["resuming what is not there", "train digits --resume --name x", /There is no run "x" in .*runs to resume/],
])("%s", (_, line, message) => expectRefusal(line, 2, message));
