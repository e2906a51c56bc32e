// The report of recorded runs from the command line: where it goes, what it writes, and what it refuses.

import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CommandResult, runCommand } from "./test/command.ts";

let directory: string;
const atoll = (text: string): Promise<CommandResult> => runCommand(text.split(" "), directory);
const small = "trainSize=200 testSize=40 batchSize=8 valSize=20 nodes=2 maxSteps=6 valInterval=2";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-report-"));
  for (const command of [
    `train digits ${small} strategy=fedavg strategy.H=2 --name a`,
    `train digits ${small} strategy=ddp network.profile=wan --name b`,
    `compare digits ${small} strategy=ddp,fedavg --name study --price-node-hour 5`,
  ]) {
    const { exitCode, error } = await atoll(command);
    expect(exitCode, error).toBe(0);
  }
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const read = (...path: readonly string[]): Promise<string> => readFile(join(directory, ...path), "utf8");

describe("where it goes", () => {
  test("one run's into its directory", async () => {
    expect((await atoll("report a")).exitCode).toBe(0);
    expect(await read("runs", "a", "report.html")).toContain("<title>a · Atoll</title>");
  });

  test("several runs' beside them, by name or by directory", async () => {
    const { exitCode, error } = await atoll("report a runs/b");
    expect(exitCode).toBe(0);
    expect(error).toContain(`Report  ${join(directory, "runs", "report.html")}`);
    expect(await read("runs", "report.html")).toContain("<title>2 runs · Atoll</title>");
  });

  test("a comparison's beside its own page, with its prices", async () => {
    const own = await read("runs", "study", "report.html");
    const { output } = await atoll("report study --json");
    expect(await read("runs", "study", "report.html")).toBe(own);
    expect(await read("runs", "study", "runs.html")).toContain("Cost: $5 a node-hour");
    const { runs } = JSON.parse(output);
    expect(runs.map((run: { name: string }) => run.name)).toEqual(["ddp", "fedavg"]);
    for (const { dollars } of runs) expect(dollars).toBeGreaterThan(0);
  });

  test("to a file, with figures and tables, and what they are called", async () => {
    const { exitCode, output } = await atoll("report a b --out pages/x.html --figures pages/figures --json");
    expect(exitCode).toBe(0);
    expect(await read("pages", "x.html")).toContain("<title>2 runs · Atoll</title>");
    const { report, figures } = JSON.parse(output);
    expect(report).toBe(join(directory, "pages", "x.html"));
    const files = await readdir(join(directory, "pages", "figures"));
    expect(figures.map((path: string) => path.split("/").at(-1)).toSorted()).toEqual(files.toSorted());
    expect(files).toEqual(
      expect.arrayContaining([
        "runs.csv",
        "loss-of-runs.svg",
        "timeline-whole-a.svg",
        "config-differences.csv",
      ]),
    );
    expect(await read("pages", "figures", "runs.csv")).toMatch(
      /^Run,Strategy,Nodes,Network,Steps,Loss,Accuracy,/,
    );
  });
});

describe("what it refuses", () => {
  test.each([
    ["report", 2, "Expected runs, got none."],
    ["report nodes=3", 2, 'Expected runs, got "nodes=3".'],
    ["report aa", 2, 'There is no run "aa"'],
    ["report a runs/a", 2, 'Run "a" is given twice'],
    ["report study runs/study/ddp", 2, 'Run "ddp" is given twice'],
    ["report a --out runs", 2, 'Flag "--out": expected a file, got the directory'],
    ["report a --price-gigabyte much", 2, 'Flag "--price-gigabyte": expected a number'],
    ["report a --fromat x", 2, 'Unknown flag "--fromat"'],
  ])("%s", async (command, code, message) => {
    const { exitCode, error } = await atoll(command);
    expect(error).toContain(message);
    expect(exitCode).toBe(code);
  });

  test.each(["hollow", "hollow.txt", "runs/bare"])("what is there and is no run: %s", async (name) => {
    for (const path of ["hollow", "runs/bare"]) await mkdir(join(directory, path), { recursive: true });
    await writeFile(join(directory, "hollow.txt"), "");
    const { exitCode, error } = await atoll(`report ${name}`);
    expect(error).toBe(
      `atoll: Expected a run, got ${join(directory, name)}, which has no events.jsonl. Name the directory of a run that has it, or train again.\n`,
    );
    expect(exitCode).toBe(2);
  });

  test("a file that Atoll did not write", async () => {
    for (const text of ["# Mine\n", "<!doctype html>\n<title>Mine</title>\n"]) {
      await writeFile(join(directory, "mine.html"), text);
      const { exitCode, error } = await atoll("report a --out mine.html");
      expect(error).toMatch(
        /^atoll: Flag "--out": expected a new file or a page that Atoll wrote, got .*mine\.html[^\n]*\n$/,
      );
      expect(exitCode).toBe(2);
      expect(await read("mine.html")).toBe(text);
    }
  });

  test("but no page of its own, also one that names no generator", async () => {
    const old = "<!doctype html>\n<title>a · Atoll</title>\n";
    for (const text of [old, await read("runs", "study", "report.html"), ""]) {
      await writeFile(join(directory, "own.html"), text);
      expect((await atoll("report a b --out own.html")).exitCode).toBe(0);
      const page = await read("own.html");
      expect(page).toContain("<title>2 runs · Atoll</title>");
      expect(page).toContain('<meta name="generator" content="Atoll"/>');
    }
  });

  test("events that are damaged, by their line", async () => {
    await mkdir(join(directory, "damaged"));
    const lines = (await read("runs", "a", "events.jsonl")).split("\n");
    lines[2] = lines[2]!.slice(0, 20);
    await writeFile(join(directory, "damaged", "events.jsonl"), lines.join("\n"));
    const { exitCode, error } = await atoll("report damaged");
    expect(exitCode).toBe(1);
    expect(error).toContain(`${join(directory, "damaged", "events.jsonl")}, line 3:`);
  });

  test.skipIf(process.getuid?.() === 0)("a place that cannot be written to", async () => {
    await mkdir(join(directory, "locked"));
    await chmod(join(directory, "locked"), 0o500);
    const { exitCode, error } = await atoll("report a --out locked/x.html");
    expect(exitCode).toBe(2);
    expect(error).toContain("locked");
  });

  test("a place below a file", async () => {
    await writeFile(join(directory, "plain"), "");
    const { exitCode, error } = await atoll("report a --out plain/x.html");
    expect([1, 2]).toContain(exitCode);
    expect(error).toMatch(/^atoll: .*plain/);
    expect(error).not.toContain("unexpected error");
  });
});

test("a run that goes on, of which the last line is cut off, is shown as it stands", async () => {
  await mkdir(join(directory, "going"));
  const text = await read("runs", "b", "events.jsonl");
  await writeFile(join(directory, "going", "events.jsonl"), text.slice(0, Math.floor(text.length / 2)));
  const { exitCode, output } = await atoll("report a going --out going.html --json");
  expect(exitCode).toBe(0);
  expect(JSON.parse(output).runs[1]).toMatchObject({ outcome: "unfinished" });
  expect(await read("going.html")).toContain("cut off and is left out");
});
