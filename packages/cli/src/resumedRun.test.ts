// What is said to a --resume that does not name a run which can be gone on with: the line that was meant.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "vitest";
import { expectRefusalIn } from "./test/refusal.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-cli-"));
  await write("runs/demo/config.json", JSON.stringify({ experiment: "digits", options: {} }));
  await write("runs/study/comparison.json", "{}");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(join(directory, path, ".."), { recursive: true });
  await writeFile(join(directory, path), text);
}

const takesNoValue = (value: string, line: string): RegExp =>
  new RegExp(
    `Flag "--resume" takes no value, got "${value}": --name names the run to go on with\\. Write: ${line}\n$`,
  );

test.each<[string, string, RegExp]>([
  [
    "its name behind the flag",
    "train digits --resume demo",
    takesNoValue("demo", "npx atoll train digits --resume --name demo"),
  ],
  [
    "its name behind the flag, before options",
    "train digits --resume gone nodes=2",
    takesNoValue("gone", "npx atoll train digits --resume --name gone"),
  ],
  [
    "its name in the flag",
    "train digits --resume=demo",
    takesNoValue("demo", "npx atoll train digits --resume --name demo"),
  ],
  [
    "its name behind the flag and no experiment",
    "train --resume demo --runs-dir runs",
    takesNoValue("demo", "npx atoll train digits --resume --name demo --runs-dir runs"),
  ],
  [
    "no experiment",
    "train --resume --name demo",
    /Expected the experiment of the run to resume first, got nothing\. Write: npx atoll train digits --resume --name demo\n$/,
  ],
  [
    "no experiment, of a run that is none",
    "train --resume --name gone maxSteps=3",
    /Write: npx atoll train EXPERIMENT --resume --name gone\n$/,
  ],
  ["an experiment behind the flag and no name", "train --resume digits", /--resume needs to know which run/],
  [
    "a name that is almost one",
    "train digits --resume --name deno",
    /to resume\. Did you mean --name demo\?/,
  ],
  ["a directory", "train digits --resume --name runs/demo", /to resume\. Did you mean --name demo\?/],
  [
    "a name that is none",
    "train digits --resume --name other",
    /There is no run "other" in .*runs to resume\. Check the name and --runs-dir/,
  ],
  [
    "a comparison",
    "train digits --resume --name study",
    /that is a comparison, which the same npx atoll compare … --name study goes on with\.$/m,
  ],
  [
    "a run without a checkpoint; the experiment may stand behind the flag",
    "train --resume digits --name demo",
    /Run "demo" has no checkpoint to resume from/,
  ],
])("%s", (_, line, message) => expectRefusalIn(directory, line, 2, message, ["demo", "study"]));

test("a finished run is neither gone on with nor written over", async () => {
  await write("runs/demo/summary.json", "{}");
  const there = ["demo", "study"];
  const line = "train digits --name demo";
  await expectRefusalIn(directory, `${line} --resume`, 2, /Run "demo" is finished; .* another name/, there);
  await expectRefusalIn(directory, line, 2, /exists already in .* It is finished: choose a new name/, there);
});
