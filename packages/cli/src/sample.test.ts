// atoll sample: text from runs that were really trained, and what it refuses.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { flattenTree } from "@atoll/tensor";
import { type ModelWeights, readCheckpointModel, readFittedModel } from "@atoll/train/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandResult, runCommand } from "./test/command.ts";

let directory: string;
const atoll = (...argv: readonly string[]): Promise<CommandResult> => runCommand(argv, directory);
const words = (line: string): readonly string[] => line.split(" ");
const file = (name: string): string => join(directory, name);
/** A run of the fixture's table of scores; a GPT takes seconds to compile, so there is one. */
const bigrams = (text: string, line: string): readonly string[] => [
  "train",
  BIGRAMS,
  `file=${file(text)}`,
  ...words(line),
];
const BIGRAMS = fileURLToPath(new URL("test/bigrams.ts", import.meta.url));
const DILOCO = "nodes=2 strategy=diloco strategy.H=3 checkpointInterval=2";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-sample-"));
  const text =
    "Once more unto the breach, dear friends, once more;\nOr close the wall up with our English dead.\n";
  await writeFile(file("text.txt"), text.repeat(10));
  const gpt = words("train nanogpt blockSize=12 batchSize=4 valSize=0 maxSteps=4 --name gpt");
  const runs = [
    atoll(...gpt, `data.file=${file("text.txt")}`, ...words(DILOCO)),
    atoll(...bigrams("text.txt", `${DILOCO} --name table`)),
    atoll(...bigrams("text.txt", "tokenizer=bpe --name pairs")),
    atoll(...words("train digits trainSize=40 testSize=10 batchSize=4 valSize=0 maxSteps=2 --name images")),
  ];
  for (const run of runs) expect(await run).toMatchObject({ exitCode: 0 });
}, 60_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

test("the text is the prompt's continuation, and the same for the same flags", async () => {
  const flags = ["--prompt", "Once more", "--tokens", "20"];
  const { exitCode, output, error } = await atoll("sample", "gpt", ...flags);
  expect(exitCode).toBe(0);
  expect(output).toMatch(/^Once more.{20}\n$/s);
  expect(error).toMatch(/\n20 tokens, [\d.e+]+ a second; [\d.]+ s to the first\n/);
  expect((await atoll("sample", "gpt", ...flags)).output).toBe(output);
  expect((await atoll("sample", "runs/gpt", ...flags, "--seed", "1")).output).not.toBe(output);
  const json = JSON.parse((await atoll("sample", "gpt", ...flags, "--json")).output) as { text: string };
  expect(json).toMatchObject({
    prompt: "Once more",
    tokens: 20,
    temperature: 0.8,
    topK: null,
    seed: 0,
    step: null,
  });
  expect(`Once more${json.text}\n`).toBe(output);
});

test("byte pairs: any prompt is taken, and comes out as it went in", async () => {
  const { exitCode, output } = await atoll("sample", "pairs", "--prompt", "Zoë 王🙂", "--tokens", "5");
  expect(exitCode).toBe(0);
  expect(output).toMatch(/^Zoë 王🙂/);
});

/** Of all values with their names. */
function fingerprint({ parameters, buffers }: ModelWeights): string {
  const hash = createHash("sha256");
  for (const { path, leaf } of flattenTree({ parameters, buffers }).sort((a, b) =>
    a.path < b.path ? -1 : 1,
  ))
    hash.update(path).update(leaf.data);
  return hash.digest("hex");
}

test("a checkpoint's model is the nodes' average: at the last step the fitted model, earlier another", async () => {
  const run = join(directory, "runs", "gpt");
  expect(fingerprint(readCheckpointModel(run, 4))).toBe(fingerprint(readFittedModel(run)));
  const likeliest = ["--temperature", "0", "--tokens", "8"];
  const { output } = await atoll("sample", "gpt", ...likeliest);
  expect((await atoll("sample", "gpt", "--step", "4", ...likeliest)).output).toBe(output);
  expect(fingerprint(readCheckpointModel(run, 2))).not.toBe(fingerprint(readFittedModel(run)));
});

test("a node that has crashed for good is no part of a checkpoint's model", async () => {
  const faults = ['faults.schedule=[{"kind":"crash","node":1,"at":0.1}]', "faults.whenMissing=timeout"];
  const argv = words(
    "train digits trainSize=400 testSize=20 batchSize=8 valSize=0 nodes=3 network.profile=wan",
  );
  const length = words("strategy=ddp maxSteps=12 checkpointInterval=12 --name faulty --json");
  const { output } = await atoll(...argv, ...faults, ...length);
  expect(JSON.parse(output)).toMatchObject({ faults: { crashes: 1, nodesLeft: 2 } });
  const run = join(directory, "runs", "faulty");
  expect(fingerprint(readCheckpointModel(run, 12))).toBe(fingerprint(readFittedModel(run)));
});

/** Runs until the first checkpoint. */
async function brokenOff(argv: readonly string[]): Promise<void> {
  const stop = new AbortController();
  const watch = (text: string): void => {
    if (text.includes("checkpoint")) stop.abort();
  };
  const { exitCode } = await runCommand(argv, directory, { signal: stop.signal, watch });
  expect(exitCode).toBe(130);
}

test("a run that was broken off and gone on with writes what the unbroken one does", async () => {
  const argv = bigrams("text.txt", `${DILOCO} --name broken`);
  await brokenOff(argv);
  expect(await atoll("sample", "broken")).toMatchObject({
    exitCode: 2,
    error: expect.stringMatching(/no fitted model.*checkpoints of step 2.*--step/),
  });
  expect((await atoll(...argv, "--resume")).exitCode).toBe(0);
  const [broken, unbroken] = [await atoll("sample", "broken"), await atoll("sample", "table")];
  expect(broken.output).toHaveLength(301);
  expect(broken.output).toBe(unbroken.output);
});

test("a resumed run refuses a text of other characters", async () => {
  await writeFile(file("other.txt"), "abcdefgh\n".repeat(40));
  const argv = bigrams("other.txt", `${DILOCO} --name changed`);
  await brokenOff(argv);
  await writeFile(file("other.txt"), "abcdefxy\n".repeat(40));
  const { exitCode, error } = await atoll(...argv, "--resume");
  expect(error).toMatch(/"changed" was trained on other tokens than the text has now \(9 then, 9 now/);
  expect(exitCode).toBe(2);
});

test("a model that is no GPT of ours is made by its experiment, from the data it was trained on", async () => {
  const { exitCode, output } = await atoll("sample", "table", "--prompt", "On", "--tokens", "10");
  expect(exitCode).toBe(0);
  expect(output).toMatch(/^On.{10}\n$/s);
  const kept = readFileSync(file("text.txt"), "utf8");
  await writeFile(file("text.txt"), `${kept}Ω`);
  const { error } = await atoll("sample", "table");
  await writeFile(file("text.txt"), kept);
  expect(error).toMatch(/trained the model \{"kind":"bigrams","size":\d+\}, but its experiment .* now makes/);
});

test("the runs of a comparison keep their vocabulary, too", async () => {
  const [, ...argv] = bigrams("text.txt", "nodes=2 network.profile=datacenter,wan --name both");
  expect((await atoll("compare", ...argv)).exitCode).toBe(0);
  expect((await atoll("sample", "both/datacenter", "--tokens", "3")).output).toMatch(/^.{3}\n$/s);
  expect((await atoll("sample", "both/wan", "--tokens", "3")).error).toMatch(
    /no fitted model.*repriced from another/,
  );
});

test.each([
  ["", /Expected a run, got nothing/],
  ["gpt more", /Expected one run, got "more" too\. Write a prompt of several words in quotes/],
  ["tabel", /no run "tabel".*Did you mean "table"/],
  ["images", /images is of no text: it has no vocabulary\.json/],
  ["gpt --step 3", /no checkpoint of step 3\. There are checkpoints of step 2, 4/],
  ["gpt --prompt Ωä", /got others: "Ω" \(U\+03A9\), "ä" \(U\+00E4\)/],
  ["gpt --prompt OnceOnceOnceO", /1 to 12 tokens \(the model's blockSize\), got 13\. Shorten it/],
  ["gpt --temperature -1", /"--temperature": expected a number of at least 0, got "-1"/],
  ["gpt --top-k 0", /"--top-k": expected a whole number of at least 1, got "0"/],
  ["gpt --tokens 1.5", /"--tokens": expected a whole number of at least 1, got "1\.5"/],
  ["gpt --tokns 3", /Unknown flag "--tokns"\. Did you mean "--tokens"/],
])("sample %s is refused", async (line, message) => {
  const { exitCode, error, output } = await atoll("sample", ...line.split(" ").filter((word) => word !== ""));
  expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
  expect(error).toMatch(message);
});
