// Options that change only what a run's simulated time is made of: they reach the run, stand in its config.json, and its
// report tells of them.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-cli-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const QUICK = "train digits trainSize=200 testSize=20 batchSize=8 maxSteps=4 valSize=0 --name run".split(" ");

/** A run of a few steps with these options: what it printed and what it left. */
async function runWith(...options: readonly string[]) {
  const { exitCode, error } = await runCommand([...QUICK, ...options], directory);
  expect(exitCode, error).toBe(0);
  const read = (file: string): Promise<string> => readFile(join(directory, "runs", "run", file), "utf8");
  const [config, events, report] = await Promise.all(
    ["config.json", "events.jsonl", "report.html"].map(read),
  );
  return {
    error,
    config: JSON.parse(config!),
    events: events!
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
    report: report!,
  };
}

describe("allReduce", () => {
  test("by default goes by the topology", async () => {
    const { config, events } = await runWith("nodes=3");
    expect(config.options.allReduce).toBe("topology");
    expect(config.resolved.allReduce).toBe("topology");
    expect(events.find(({ type }) => type === "collective").algorithm).toBe("ring");
  });

  test("reaches the collectives of a strategy", async () => {
    const { config, events, report, error } = await runWith("nodes=4", "allReduce=tree");
    expect(config.resolved.allReduce).toBe("tree");
    const collectives = events.filter(({ type }) => type === "collective");
    expect(new Set(collectives.map(({ algorithm }) => algorithm))).toEqual(new Set(["tree"]));
    expect(report).toContain("<dt>All-reduce</dt><dd>tree</dd>");
    expect(error).not.toContain("warning");
  });

  test("a fallback is told once, on standard error and in the report", async () => {
    const { error, events, report } = await runWith("nodes=6", "allReduce=halving-doubling");
    const sentence =
      "All-reduce among 6 ranks goes by ring: halving-doubling needs a power of two, not 6 members.";
    expect(error.split(`warning: ${sentence}\n`)).toHaveLength(2);
    expect(events.filter(({ type }) => type === "warning")).toEqual([{ type: "warning", message: sentence }]);
    expect(report).toContain(`<p class="note">${sentence}</p>`);
  });
});

describe("compute", () => {
  const computeOf = (events: readonly { type: string; nodes: readonly { compute: number }[] }[]) =>
    events.find(({ type }) => type === "runFinished")!.nodes.map(({ compute }) => compute);

  test("speeds of the nodes", async () => {
    const options = ["nodes=3", "compute.variability=0", "compute.speeds=[1,0.5,2]"];
    const { config, events, report, error } = await runWith(...options);
    expect(config.resolved.compute).toMatchObject({ device: "laptop", speeds: [1, 0.5, 2] });
    const [usual, slow, fast] = computeOf(events);
    expect(slow! / usual!).toBeCloseTo(2, 9);
    expect(fast! / usual!).toBeCloseTo(0.5, 9);
    expect(report).toContain("<dt>Compute</dt><dd>laptop, speeds 0.5 to 2</dd>");
    expect(error).toMatch(/^nodes differ {6}speeds 0\.5 to 2$/m);
  });

  test("devices of the nodes", async () => {
    const { config, report, error } = await runWith("nodes=3", 'compute.devices=["h100","a100","h100"]');
    expect(config.resolved.compute.devices).toEqual(["h100", "a100", "h100"]);
    expect(report).toContain("<dt>Compute</dt><dd>2 × h100, a100</dd>");
    expect(error).toMatch(/^nodes differ {6}2 × h100, a100$/m);
  });

  test("drawn speeds, of measured steps too", async () => {
    const { config, events } = await runWith(
      "nodes=3",
      "compute=measured",
      "compute.durations=[1]",
      "compute.heterogeneity=0.4",
    );
    const { speeds, heterogeneity } = config.resolved.compute;
    expect(heterogeneity).toBe(0.4);
    expect(computeOf(events)).toEqual(speeds.map((speed: number) => expect.closeTo(4 / speed, 9)));
  });
});

test("strategy.buckets is a what-if, which config, summary and report say", async () => {
  const { config, report, error } = await runWith("nodes=2", "strategy.buckets=4");
  expect(config.resolved.strategy).toEqual({ kind: "ddp", buckets: 4, overlap: "what-if" });
  expect(report).toContain("<dd>ddp (buckets=4, overlap=what-if)</dd>");
  expect(report).toContain('<p class="note">What-if: gradients are supposed');
  expect(error).toMatch(/^what-if {11}gradients are sent while/m);
});

test("processes send buckets after the backward pass: nothing is supposed where steps take the time that they take", async () => {
  const { config, report, error } = await runWith("nodes=2", "strategy.buckets=4", "mode=processes");
  expect(config.resolved.strategy).toEqual({ kind: "ddp", buckets: 4 });
  expect(report).toContain("<dd>ddp (buckets=4)</dd>");
  expect(`${report}${error}`).not.toMatch(/what-if/i);
});

test("processes whose steps are given a device's time suppose that buckets go while it passes", async () => {
  const given = ["mode=processes", "compute=device"];
  const { config, report, error } = await runWith("nodes=2", "strategy.buckets=4", ...given);
  expect(config.resolved.strategy).toEqual({ kind: "ddp", buckets: 4, overlap: "what-if" });
  expect(report).toMatch(/What-if: [^<]* do not compare these times with times of real steps\./);
  expect(error).toMatch(/^what-if {11}/m);
});

test("without buckets nothing speaks of a what-if", async () => {
  const { config, report, error } = await runWith("nodes=2");
  expect(config.options.strategy.buckets).toBe(0);
  expect(`${report}${error}`).not.toMatch(/what-if/i);
});
