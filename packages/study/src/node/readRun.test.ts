import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunError, type RunEvent } from "@atoll/core";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { linesOf, sampleRun } from "../test/sampleRun.ts";
import { readRun } from "./readRun.ts";
import { writeReport } from "./writeReport.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-run-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const write = (name: string, text: string): Promise<void> => writeFile(join(directory, name), text);

test("reads back every event, the config and the summary", async () => {
  const record = sampleRun({ nodes: 4 });
  await write("events.jsonl", linesOf(record.events));
  await write("config.json", JSON.stringify(record.config));
  await write("summary.json", JSON.stringify(record.summary));
  expect(await readRun(directory)).toEqual(record);
});

test("reads back calls that overlap with computing, and what nodes waited for", async () => {
  const collective = sampleRun().events.find((event) => event.type === "collective")!;
  const events: readonly RunEvent[] = [
    { ...collective, overlaps: true },
    { type: "waited", rank: 1, from: 0.5, ready: 0.75, end: 1.5 },
  ];
  await write("events.jsonl", linesOf(events));
  expect((await readRun(directory)).events).toEqual(events);
});

test("a log cut at any byte gives the events before the cut", async () => {
  const { events } = sampleRun({ steps: 8, H: 4, valInterval: 4 });
  const whole = Buffer.from(linesOf(events));
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (length) => {
      const cut = whole.subarray(0, length).toString();
      await write("events.jsonl", cut);
      const { events: read, truncated } = await readRun(directory);
      const complete = cut.split("\n").length - 1;
      // A line that lacks nothing but its end is as good as whole.
      expect([complete, complete + 1]).toContain(read.length);
      expect(read).toEqual(events.slice(0, read.length));
      expect(truncated).toBe(read.length === complete && !cut.endsWith("\n") && cut !== "");
    }),
  );
});

test.each([
  ["not JSON", '{"type":"step",'],
  ["not an event", "[1, 2]"],
  ["a field of the wrong type", '{"type":"checkpoint","step":"one","path":"x"}'],
])("a bad line that is not the last is an error with file and line: %s", async (_, line) => {
  const [first, ...others] = linesOf(sampleRun().events).split("\n");
  await write("events.jsonl", [first, line, ...others].join("\n"));
  await expect(readRun(directory)).rejects.toThrow(RunError);
  await expect(readRun(directory)).rejects.toThrow(/events\.jsonl, line 2: /);
});

test("events of a kind that this version does not know are passed over", async () => {
  const { events } = sampleRun({ steps: 2 });
  await write("events.jsonl", `{"type":"nodeCrashed","rank":1}\n${linesOf(events)}`);
  expect((await readRun(directory)).events).toEqual(events);
});

test("a loss that JSON could not hold is NaN again, an unlimited bandwidth infinite", async () => {
  const record = sampleRun({ steps: 3, bend: () => Number.POSITIVE_INFINITY });
  await write("events.jsonl", linesOf(record.events).replace(/"bandwidth":[\d.]+/, '"bandwidth":null'));
  const { events } = await readRun(directory);
  expect(events.flatMap((event) => (event.type === "step" ? [event.loss] : []))).toEqual([NaN, NaN, NaN]);
  const topology = events.find((event) => event.type === "topology");
  expect(topology?.links[0]?.bandwidth).toBe(Number.POSITIVE_INFINITY);
});

test("no events, a corrupt config: one clear sentence", async () => {
  await expect(readRun(directory)).rejects.toThrow(
    /Cannot read .*events\.jsonl: .*Expected a run directory\./,
  );
  await write("events.jsonl", "");
  await write("config.json", "{");
  await expect(readRun(directory)).rejects.toThrow(/config\.json: expected JSON/);
  await write("config.json", "[]");
  await expect(readRun(directory)).rejects.toThrow(/config\.json: expected a JSON object, got \[\]/);
});

test("writes the report beside the events, and only that", async () => {
  const record = sampleRun();
  await write("events.jsonl", linesOf(record.events));
  const path = await writeReport(directory);
  expect(path).toBe(join(directory, "report.html"));
  expect(await readFile(path, "utf8")).toContain("digits-fedavg-wan");
  expect(await writeReport(directory)).toBe(path);
});
