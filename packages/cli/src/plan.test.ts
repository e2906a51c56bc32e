// atoll plan as a command: its JSON, its table and page, and what it refuses.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strategyEntries } from "@atoll/train";
import { afterEach, beforeEach, expect, test } from "vitest";
import { planOptions } from "./planOptions.ts";
import { type CommandResult, runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-plan-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const plan = (line: string): Promise<CommandResult> => runCommand(["plan", ...line.split(" ")], directory);
const SIZE = "parameters=1e9 layers=24 nodes=2 stepSeconds=0.1";

test("one object with the required bandwidths, one table with the network they hold for", async () => {
  const { exitCode, output, error } = await plan(
    `${SIZE} strategy=diloco strategy.H=100 bitsPerParameter=16 network.latency=0 --json`,
  );
  expect(exitCode).toBe(0);
  const { requiredBandwidth, strategy } = JSON.parse(output);
  expect(strategy).toMatchObject({ kind: "diloco", H: 100 });
  const utilizations = requiredBandwidth.map(({ utilization }: { utilization: number }) => utilization);
  expect(utilizations).toEqual([0.5, 0.8, 0.9, 0.95, 0.99]);
  // 16 Gbit in the computing of 100 steps, and a little less for what is sent before the last backward pass ends.
  expect(requiredBandwidth[0].gbitPerSecond).toBeCloseTo(16 / (10 + (23 / 24) * (0.2 / 3)), 3);
  expect(error).toMatch(/^diloco, 2 nodes, 1,000,000,000 parameters in 24 layers, 100 ms a step\n/);
  expect(error).toContain("\nfully connected, local: 1 GB/s to 10 GB/s, latency 0 s (seed 0)\n");
  const exact = await plan(`${SIZE} network.bandwidth=1e9 network.latency=0.01 network.topology=ring`);
  expect(exact.error).toContain("\nring, local: 1 GB/s, latency 10 ms\n");
  for (const row of error.split("\n")) expect(row).toMatch(/^(.{0,79}\S)?$/);
});

test.each(strategyEntries.map(({ name }) => name))(
  "%s is planned, or refused with a reason",
  async (name) => {
    const { exitCode, output, error } = await plan(`${SIZE} strategy=${name} --json`);
    if (name === "adpsgd") {
      expect(exitCode).toBe(2);
      expect(error).toMatch(/adpsgd cannot be planned: .*never wait/);
      return;
    }
    expect({ exitCode, name }).toEqual({ exitCode: 0, name });
    const { utilization, secondsPerStep, bytesPerStep } = JSON.parse(output);
    expect(utilization).toBeGreaterThan(0);
    expect(utilization).toBeLessThanOrEqual(1 + 1e-9);
    expect(secondsPerStep).toBeCloseTo(0.1 / utilization, 9);
    expect(bytesPerStep).toBeGreaterThan(0);
  },
);

test("a page with the curve, tables and nothing from elsewhere", async () => {
  const { exitCode, error } = await plan(`${SIZE} strategy=powersgd network.profile=wan --report plan.html`);
  expect(exitCode).toBe(0);
  expect(error).toContain(join(directory, "plan.html"));
  const page = await readFile(join(directory, "plan.html"), "utf8");
  expect(page).toContain("<svg");
  expect(page).toContain("Assumed: each layer is a transformer block");
  expect(page).not.toMatch(/undefined|NaN|\[object|<(link|img|script) [^>]*(href|src)=/);
  const single = await plan(`${SIZE.replace("nodes=2", "nodes=1")} --report alone.html`);
  expect(single.error).toContain("One node alone sends nothing");
  expect(await readFile(join(directory, "alone.html"), "utf8")).toContain("needs no network");
});

test("a run that ends before anything is sent is no plan to go by: table, page and JSON say so", async () => {
  const { error, output } = await plan(`${SIZE} strategy=diloco strategy.H=2000 --report plan.html --json`);
  const note =
    /^No node sends anything: they exchange for the first time after step 2000, and the run ends after step 1000/;
  expect(error.replaceAll("\n", " ")).toContain("No node sends anything: they exchange for the first time");
  expect(JSON.parse(output).notes[0]).toMatch(note);
  expect(await readFile(join(directory, "plan.html"), "utf8")).toContain("No node sends anything");
});

test("what a plan leaves out of its network is said", async () => {
  const noted = async (given: string): Promise<readonly string[]> =>
    JSON.parse((await plan(`${SIZE} ${given} --json`)).output).notes;
  expect(await noted("network.loss=0")).toEqual([]);
  expect(await noted("network.loss=0.01")).toEqual([
    expect.stringMatching(/^Lost packets are not in the plan/),
  ]);
  expect(await noted("network.nic=1e8")).toEqual([expect.stringMatching(/NICs as fast as the links/)]);
  expect(await noted("network.background.load=0.3")).toEqual([expect.stringMatching(/by its mean/)]);
  expect(await noted("strategy=onebitadam")).toEqual([expect.stringMatching(/those after step 100/)]);
});

test("a GPT on a device: parameters as GPT-2 has them, six FLOPs a parameter and token", async () => {
  const { output } = await plan("model=xl device=h100 tokens=1000 deviceUtilization=0.5 --json");
  const { parameters, layers, stepSeconds } = JSON.parse(output);
  expect({ parameters, layers }).toEqual({ parameters: 1_557_611_200, layers: 48 });
  expect(stepSeconds).toBeCloseTo((6 * 1_557_611_200 * 1000) / (989e12 * 0.5), 12);
});

test("a device whose name is a number is a device", async () => {
  const times = ["4090", "h100"].map(async (device) => {
    const { output } = await plan(`model=small device=${device} tokens=1000 --json`);
    return JSON.parse(output).stepSeconds as number;
  });
  const [slow, fast] = await Promise.all(times);
  expect(slow! / fast!).toBeCloseTo(989 / 165, 9);
});

test.each([
  ["parameter=1e9", /Unknown option "parameter"\. Did you mean "parameters"\?/],
  ["parameters=1e9 stepSeconds=1", /Option "layers": expected the size of the model/],
  ["layers=3 stepSeconds=1", /Option "parameters": expected the size/],
  ["parameters=1e9 layers=24", /Option "stepSeconds": expected how long a step takes/],
  ["parameters=1e9 layers=24 device=h100", /Option "tokens": expected how long/],
  [`${SIZE} device=h100`, /Options "stepSeconds" and "device": give one of them/],
  ["model=xl layers=3 stepSeconds=1", /Options "model" and "layers"/],
  [`${SIZE} strategy=dilocco`, /Option "strategy": unknown choice "dilocco"\. Did you mean "diloco"\?/],
  [`${SIZE} strategy.H=5`, /Option "strategy\.H": expected only with strategy=/],
  [`${SIZE} strategy=streamingdiloco strategy.delay=200`, /Option "strategy\.delay": expected less than H/],
  [`${SIZE} strategy=streamingdiloco strategy.fragments=30`, /strategy\.fragments.*layers \(24\), got 30/],
  [`${SIZE} strategy=fedavg strategy.islandSize=3`, /strategy\.islandSize/],
  [`${SIZE} strategy=muloco bitsPerParameter=16`, /Option "bitsPerParameter": .*changes nothing/],
  [`${SIZE} network.profile=wam`, /network\.profile/],
  [`digits ${SIZE}`, /Expected key=value, got "digits"/],
  [`${SIZE} --jsn`, /Unknown flag "--jsn"\. Did you mean "--json"\?/],
])("refuses %s", async (line, message) => {
  const { exitCode, output, error } = await plan(line);
  expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
  expect(error).toMatch(message);
  expect(error.trim().split("\n")).toHaveLength(1);
});

test("a page goes into directories that are missing, and over a page that was there", async () => {
  for (const strategy of ["ddp", "diloco"]) {
    expect((await plan(`${SIZE} strategy=${strategy} --report missing/plan.html`)).exitCode).toBe(0);
    expect(await readFile(join(directory, "missing", "plan.html"), "utf8")).toContain(strategy);
  }
});

test.each([
  ["below a file", "notes.txt/plan.html", /^atoll: Cannot write .*notes\.txt/],
  [
    "over another's file",
    "notes.txt",
    /^atoll: Flag "--report": expected .* a page that Atoll wrote, got .*notes\.txt/,
  ],
  ["over a directory", ".", /^atoll: Flag "--report": expected a file, got the directory/],
])("a page that cannot be written is told of before the plan is: %s", async (_, path, message) => {
  await writeFile(join(directory, "notes.txt"), "mine");
  const { exitCode, output, error } = await plan(`${SIZE} --report ${path}`);
  expect(error).toMatch(message);
  expect(error.trim().split("\n")).toHaveLength(1);
  expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
  expect(await readFile(join(directory, "notes.txt"), "utf8")).toBe("mine");
});

test.skipIf(process.getuid?.() === 0)("nor where its directory may not be written to", async () => {
  await mkdir(join(directory, "locked"), { mode: 0o500 });
  const { exitCode, error } = await plan(`${SIZE} --report locked/plan.html`);
  expect(error).toMatch(/^atoll: Cannot write .*plan\.html: .*EACCES\. [^\n]*\n$/);
  expect(exitCode).toBe(2);
});

test("every option is in the help, and its examples are accepted", async () => {
  const { output } = await runCommand(["help", "plan"], directory);
  for (const name of Object.keys(planOptions.shape))
    expect(output).toMatch(new RegExp(`^ +${name}[ =.]`, "m"));
  for (const row of output.split("\n")) expect(row).toMatch(/^(.{0,99}\S)?$/);
  const examples = output.split("\n").filter((line) => line.startsWith("  npx atoll plan "));
  expect(examples).toHaveLength(3);
  for (const example of examples)
    expect((await plan(example.replace("  npx atoll plan ", ""))).exitCode, example).toBe(0);
});

test("docs/plan.md shows what its commands print", async () => {
  const guide = await readFile(join(import.meta.dirname, "../../../docs/plan.md"), "utf8");
  const examples = [...guide.matchAll(/```console\n\$ npx atoll (plan .*)\n([^`]*)```/g)];
  expect(examples).toHaveLength(3);
  for (const [, line, shown] of examples) {
    const { error } = await runCommand(line!.split(" "), directory);
    expect(error).toBe(shown);
  }
});
