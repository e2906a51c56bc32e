// Recording from the command line: what is asked for goes into the run and where its metrics go, and what cannot be had is
// refused before anything is made.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { combinations } from "./optionLists.ts";
import { type CommandResult, runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-record-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const RUN = "train digits trainSize=200 testSize=20 batchSize=8 maxSteps=6 valSize=20 valInterval=3 nodes=2";
const train = (options: string): Promise<CommandResult> =>
  runCommand(`${RUN} ${options}`.split(" "), directory);
const read = (...path: string[]): Promise<string> => readFile(join(directory, "runs", ...path), "utf8");

test("a run that records is the run that does not, with a table, metrics and figures more", async () => {
  expect(await train("strategy=int8allreduce --name plain")).toMatchObject({ exitCode: 0 });
  const asked = "record=correlation,gradientNorm,compressionError record.interval=2 track=tensorboard";
  expect(await train(`strategy=int8allreduce ${asked} --name recorded`)).toMatchObject({ exitCode: 0 });
  for (const file of ["train.csv", "validation.csv"])
    expect(await read("recorded", file)).toBe(await read("plain", file));
  expect(await readdir(join(directory, "runs", "plain"))).not.toContain("records.csv");
  const rows = (await read("recorded", "records.csv")).trimEnd().split("\n").slice(1);
  expect(
    rows.map((row) =>
      row
        .split(",")
        .filter((_, i) => i === 0 || i === 2)
        .join(" "),
    ),
  ).toEqual(
    [2, 4, 6].flatMap((step) => [`${step} gradientNorm`, `${step} compressionError`, `${step} correlation`]),
  );
  const { options } = JSON.parse(await read("recorded", "config.json"));
  expect(options.record).toEqual({
    quantities: ["correlation", "gradientNorm", "compressionError"],
    interval: 2,
  });
  const page = await read("recorded", "report.html");
  for (const label of ["correlation of parameters", "gradient norm", "compression error"])
    expect(page).toContain(`${label} against steps`);
  expect(await read("plain", "report.html")).not.toContain('id="records"');
  const [events] = (await readdir(join(directory, "runs", "recorded"))).filter((name) =>
    name.startsWith("events.out.tfevents"),
  );
  const bytes = await readFile(join(directory, "runs", "recorded", events!));
  for (const name of ["correlation", "gradient_norm_max", "compression_error_min"])
    expect(bytes.includes(name), name).toBe(true);
});

test.each([
  ["record=corelation", /"record": expected some of correlation, .*, got "corelation"/],
  ["record.interval=2", /"record": expected some of correlation/],
  ["record=correlation record.every=2", /Unknown option "record.every"/],
  ["record=outerCosine", /strategy "ddp" has no outerCosine: .* choose one of fedavg, /],
])("%s is refused", async (options, message) => {
  const { exitCode, error } = await train(options);
  expect(exitCode).toBe(2);
  expect(error).toMatch(message);
  const made = await readdir(directory, { recursive: true });
  expect(made.filter((name) => name !== "runs")).toEqual([]);
});

test("in a matrix the list is one value", () => {
  const made = combinations(["nodes=2,4", "record=correlation,gradientNorm"]);
  expect(made.map(({ pairs }) => pairs[1])).toEqual(Array(2).fill("record=correlation,gradientNorm"));
});
