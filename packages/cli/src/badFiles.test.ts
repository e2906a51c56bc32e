// What the command says to files that are not what it can work with, be they experiments, data or runs: as to bad options,
// in one sentence.

import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CommandOptions, type CommandResult, runCommand } from "./test/command.ts";
import { expectRefusalIn } from "./test/refusal.ts";
import { onSmallDisk } from "./test/smallDisk.ts";
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

describe("experiment files", () => {
  /** An experiment in plain JavaScript, whose `create` has this body. */
  const experiment = (body: string, name = "mine"): string =>
    `import { z } from ${JSON.stringify(import.meta.resolve("zod"))};
     export default { name: "${name}", summary: "", options: z.strictObject({}), async create() { ${body} } };`;

  /** A package of the clone, as another program imports it. */
  const packageUrl = (name: string): string =>
    JSON.stringify(new URL(`../../${name}/src/index.ts`, import.meta.url).href);

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

  // As programs of their own, since Vitest loads modules its own way and changes what they throw.
  test.each<[string, string, string, number, RegExp]>([
    [
      "throws",
      "own.mjs",
      'throw new Error("boom")',
      2,
      /^atoll: .* failed to load: boom \(own\.mjs:1:7\)\. Mend/,
    ],
    ["is no program", "own.ts", "export default {", 2, /^atoll: .* failed to load: .* \(own\.ts:1\)\. Mend/],
    [
      "throws while it makes its parts",
      "own.mjs",
      experiment('throw new Error("no data")'),
      2,
      /^atoll: .*: no data \(own\.mjs:2:\d+\)\n$/,
    ],
    [
      "has a model that throws",
      "own.mjs",
      `import { createRandom } from ${packageUrl("core")};
       import { digits, mlp } from ${packageUrl("train")};
       const random = createRandom(1);
       ${experiment(`return {
         train: digits({ trainSize: 64, testSize: 10, random }).train,
         model: { ...mlp(), apply: (parameters) => parameters.nothing.foo },
       }`)}`,
      1,
      /^atoll: own\.mjs:7:\d+ has failed\.\nTypeError: .*'foo'/,
    ],
  ])("%s: said with its place", async (_, file, text, exitCode, message) => {
    await writeFile(join(directory, file), text);
    const argv = [fileURLToPath(new URL("../bin/atoll.mjs", import.meta.url)), "train", file];
    const { status, stderr } = spawnSync(process.execPath, argv, { cwd: directory, encoding: "utf8" });
    expect(stderr).toMatch(message);
    expect(status).toBe(exitCode);
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
      /Run "mine" exists already .* It is finished: choose a new name/,
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
