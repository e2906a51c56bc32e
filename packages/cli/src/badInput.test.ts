// What the command says to bad input: one sentence that says where, what was expected, what came and what to do; the
// exit code; nothing on standard output; no run directory left behind.

import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RunWorkers } from "./runWorkers.ts";
import { type CommandOptions, type CommandResult, runCommand } from "./test/command.ts";
import { onSmallDisk } from "./test/smallDisk.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-cli-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const atoll = (line: string, options?: CommandOptions): Promise<CommandResult> =>
  runCommand(line.split(" "), directory, options);

/** A run that takes a moment. */
const QUICK = "train digits trainSize=200 testSize=20 batchSize=8 maxSteps=4 valSize=0";

async function expectRefusal(line: string, exitCode: number, message: RegExp): Promise<void> {
  const result = await atoll(line);
  expect(result.error).toMatch(message);
  expect(result.error).toMatch(/^atoll: [^\n]+\n$/);
  expect(result).toMatchObject({ exitCode, output: "" });
  expect(existsSync(join(directory, "runs")) ? await readdir(join(directory, "runs")) : []).toEqual([]);
}

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

describe("options", () => {
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
    ["unknown choice", "train digits strategy=dilocco", /"dilocco"\. Did you mean "diloco"\?/],
    ["unknown value", "train digits network.profile=wam", /"wam"\. Did you mean "wan"\?/],
    ["text for a number", "train digits nodes=three", /Option "nodes": expected a number, got "three"/],
    ["nothing for a number", "train digits nodes=", /Option "nodes": expected a number, got ""/],
    ["fraction for an integer", "train digits nodes=1.5", /Option "nodes": expected an integer, got 1\.5/],
    ["number for a boolean", "train digits shuffle=1", /Option "shuffle": expected boolean, got 1/],
    ["no nodes", "train digits nodes=0", /Option "nodes": expected .*1, got 0/],
    [
      "more workers than can start",
      "train digits workers=9999",
      /Option "workers": expected .*256, got 9999/,
    ],
    ["H below 1", "train digits strategy=fedavg strategy.H=0", /Option "strategy\.H": expected .*1, got 0/],
    [
      "value for a group",
      "train digits network=wan",
      /Option "network": .* as network\.profile=wan, got "wan"/,
    ],
    ["text for a range", "train digits network.latency=low", /expected a number or \[low,high\], got "low"/],
    [
      "range with one end",
      "train digits network.latency=[1]",
      /expected a number or \[low,high\], got \[1\]/,
    ],
    ["unclosed range", "train digits network.latency=[1,2", /Cannot read \[1,2 as JSON/],
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
      /compute\.speeds\.1": expected .*>0, got 0/,
    ],
    [
      "speeds given and drawn",
      "train digits trainSize=200 nodes=2 compute.speeds=[1,1] compute.heterogeneity=0.2",
      /"compute\.speeds" and "compute\.heterogeneity" \(0\.2\): give one of them/,
    ],
    [
      "a device that is none",
      'train digits trainSize=200 nodes=2 compute.devices=["h100","h10"]',
      /compute\.devices\.1": unknown choice "h10"\. Did you mean "h100"\?/,
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
      /strategy\.density": expected .*<=1, got 1\.5/,
    ],
    [
      "more than all gradients",
      "train digits nodes=2 strategy=dgc strategy.density=2",
      /strategy\.density": expected .*<=1, got 2/,
    ],
    [
      "more than all parameters",
      "train digits nodes=2 strategy=sparta strategy.p=1.1",
      /strategy\.p": expected .*<=1, got 1\.1/,
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
    [
      "resuming what is not there",
      "train digits --resume --name x",
      /There is no run "x" in .*runs to resume/,
    ],
  ])("%s", (_, line, message) => expectRefusal(line, 2, message));
});

describe("experiment files", () => {
  /** An experiment in plain JavaScript, whose `create` has this body. */
  const experiment = (body: string, name = "mine"): string =>
    `import { z } from ${JSON.stringify(import.meta.resolve("zod"))};
     export default { name: "${name}", summary: "", options: z.strictObject({}), async create() { ${body} } };`;

  test.each<[string, string, string, RegExp]>([
    ["throws", "a.mjs", 'throw new Error("boom")', /Experiment file "a\.mjs" failed to load: boom/],
    [
      "imports what is not there",
      "b.mjs",
      'import "./nowhere.mjs"',
      /"b\.mjs" failed to load: .*nowhere\.mjs/,
    ],
    [
      "has no default export",
      "c.mjs",
      "export const x = 1",
      /expected a default export .* got no default export/,
    ],
    ["exports something else", "d.mjs", "export default 3", /expected a default export .* got number/],
    [
      "throws while it makes its parts",
      "e.mjs",
      experiment('throw new Error("no data")'),
      /"mine" failed .*: no data/,
    ],
    [
      "makes no parts",
      "f.mjs",
      experiment("return { train: 1 }"),
      /expected create to return \{ model, train, validation \}, got \{ train \}/,
    ],
    [
      "has a name that no directory can have",
      "g.mjs",
      experiment("", "a b/c"),
      /expected a name of letters.* got "a b\/c"/,
    ],
    ["is another kind of file", "h.txt", "some text", /Experiment "h\.txt": expected a \.ts or \.js file/],
  ])("%s", async (_, file, text, message) => {
    await writeFile(join(directory, file), text);
    await expectRefusal(`train ${file}`, 2, message);
  });

  test("does not exist, or is a directory", async () => {
    await mkdir(join(directory, "dir.ts"));
    await expectRefusal("train nowhere.ts", 2, /Experiment file "nowhere\.ts" does not exist/);
    await expectRefusal("train dir.ts", 2, /"dir\.ts": expected a \.ts or \.js file, got a directory/);
  });
});

describe("data", () => {
  const ROWS = 12;
  const images = (magic = 3): Buffer =>
    Buffer.concat([
      Buffer.from([0, 0, 8, magic, 0, 0, 0, ROWS, 0, 0, 0, 28, 0, 0, 0, 28]),
      Buffer.alloc(ROWS * 784),
    ]);
  const labels = (): Buffer =>
    Buffer.concat([Buffer.from([0, 0, 8, 1, 0, 0, 0, ROWS]), Buffer.alloc(ROWS, 7)]);
  const sound: Readonly<Record<string, Buffer>> = {
    "train-images-idx3-ubyte": images(),
    "train-labels-idx1-ubyte": labels(),
    "t10k-images-idx3-ubyte": images(),
    "t10k-labels-idx1-ubyte": labels(),
  };

  test.each<[string, string, Buffer, RegExp]>([
    [
      "cut short",
      "train-images-idx3-ubyte",
      images().subarray(0, 5000),
      /train-images-idx3-ubyte .*byte 5000: expected/,
    ],
    [
      "cut in its header",
      "t10k-labels-idx1-ubyte",
      labels().subarray(0, 6),
      /t10k-labels-idx1-ubyte .*byte 6: expected/,
    ],
    [
      "of another kind",
      "t10k-images-idx3-ubyte",
      images(1),
      /t10k-images-idx3-ubyte .*byte 0: expected 00 00 08 03.*got 00 00 08 01/,
    ],
    [
      "with a label out of range",
      "train-labels-idx1-ubyte",
      Buffer.concat([labels().subarray(0, 10), Buffer.alloc(ROWS - 2, 12)]),
      /train-labels-idx1-ubyte .*byte 10: expected a label from 0 to 9, got 12/,
    ],
    [
      "gzipped and damaged",
      "train-images-idx3-ubyte",
      Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]),
      /train-images-idx3-ubyte is damaged: .*byte \d+ of 13/,
    ],
  ])("an IDX file %s", async (_, file, content, message) => {
    await mkdir(join(directory, "data", "mnist"), { recursive: true });
    for (const [name, whole] of Object.entries(sound))
      await writeFile(join(directory, "data", "mnist", name), name === file ? content : whole);
    await expectRefusal("train mnist batchSize=4 maxSteps=1", 2, message);
  });

  test.each<[string, RegExp]>([
    [
      "train mnist",
      /MNIST is not complete in .*data\/mnist \(missing: train-images.*ENOTFOUND.* or use data=digits/,
    ],
    [
      "train nanogpt",
      /Tiny Shakespeare is not complete in .*input\.txt.* or name any UTF-8 text with data\.file/,
    ],
  ])("missing, without a network: %s", (line, message) => expectRefusal(line, 1, message));

  test("a text that is not there, not UTF-8 or too short", async () => {
    await writeFile(join(directory, "latin1.txt"), Buffer.from([0x61, 0xe9, 0x61]));
    await writeFile(join(directory, "short.txt"), "To be");
    const text = (name: string): string => `train nanogpt data.file=${join(directory, name)}`;
    await expectRefusal(text("nowhere.txt"), 2, /Cannot read the text file .*nowhere\.txt: ENOENT/);
    await expectRefusal(text("latin1.txt"), 2, /latin1\.txt is not UTF-8: byte \d /);
    await expectRefusal(
      text("short.txt"),
      2,
      /short\.txt has 5 characters.* blockSize 128 needs at least 129/,
    );
  });
});

describe("runs and directories", () => {
  test("a name that is taken, a finished run, another experiment", async () => {
    expect((await atoll(`${QUICK} --name mine`)).exitCode).toBe(0);
    const say = async (line: string): Promise<string> => {
      const { exitCode, output, error } = await atoll(line);
      expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
      return error;
    };
    expect(await say(`${QUICK} --name mine`)).toMatch(
      /Run "mine" exists already .*--resume, or choose a new name/,
    );
    expect(await say("train digits --name mine --resume")).toMatch(/Run "mine" is finished/);
    expect(await readdir(join(directory, "runs"))).toEqual(["mine"]);
  });

  test("resuming with other options, or another experiment", async () => {
    const stop = new AbortController();
    const line = "train digits trainSize=200 testSize=20 batchSize=8 maxSteps=40 valSize=0 --name mine";
    const watch = (text: string): void => {
      if (text.includes("step")) stop.abort();
    };
    expect((await atoll(line, { signal: stop.signal, watch })).exitCode).toBe(130);
    const changed = await atoll("train digits --name mine --resume batchSize=16");
    expect(changed).toMatchObject({ exitCode: 2, output: "" });
    expect(changed.error).toMatch(/Option "batchSize" of the run to resume is 8, got 16\./);
    const other = await atoll("train mnist --name mine --resume");
    expect(other).toMatchObject({ exitCode: 2, output: "" });
    expect(other.error).toMatch(/Run "mine" is of experiment "digits", not "mnist"/);
  });

  test("a file where the runs should be", async () => {
    await writeFile(join(directory, "file"), "");
    for (const place of ["file", "file/runs"])
      await expectRefusal(
        `${QUICK} --runs-dir ${place}`,
        2,
        /Cannot write .*file\/.*: expected a directory that can be written to, got ENOTDIR/,
      );
  });

  test.runIf(process.platform === "linux")("a place where the kernel lets nobody make directories", () =>
    expectRefusal(`${QUICK} --runs-dir /proc/runs`, 2, /Cannot write \/proc\/runs: .* got ENOENT/),
  );

  test.skipIf(process.getuid?.() === 0)("a directory without permission to write", async () => {
    await mkdir(join(directory, "locked"));
    await chmod(join(directory, "locked"), 0o555);
    await expectRefusal(`${QUICK} --runs-dir locked`, 2, /Cannot write .*locked.* got EACCES/);
  });

  test("a disk that fills up during the run", ({ skip }) =>
    onSmallDisk(directory, skip, async (disk) => {
      const line = `train digits trainSize=200 testSize=20 batchSize=8 valSize=0 maxSteps=20000 --runs-dir ${disk}`;
      const { exitCode, output, error } = await atoll(line);
      expect({ exitCode, output }).toEqual({ exitCode: 1, output: "" });
      expect(error).toMatch(
        /\natoll: Cannot write .*: the disk is full \(ENOSPC\)\. Free some space[^\n]*\n$/,
      );
    }));
});
