// Reports of several runs, and what can be saved from them.

import type { ConfigTree } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { RunRecord } from "../record.ts";
import { anyRecord } from "../test/anyRecord.ts";
import { strayPoints } from "../test/figurePoints.ts";
import { sampleRun } from "../test/sampleRun.ts";
import { malformation } from "../test/wellFormed.ts";
import { createReport, renderReport } from "./report.ts";

const empty: RunRecord = { config: {}, events: [], summary: null, truncated: false };

const prices = { nodeHour: 2, gigabyte: 0.1 };
const severalRecords = fc.array(anyRecord, { minLength: 2, maxLength: 5 });

test("the page is well-formed, its points lie inside their plots, its ids and files have names of their own", () => {
  fc.assert(
    fc.property(severalRecords, fc.boolean(), (records, isPriced) => {
      const report = createReport(records, { prices: isPriced ? prices : null });
      expect(malformation(report.page)).toBeNull();
      expect(strayPoints(report.page, 0.15)).toEqual([]);
      const ids = [...report.page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const names = report.files().map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) expect(name).toMatch(/^[\w.=-]+\.(?:svg|csv)$/);
    }),
    { numRuns: 25 },
  );
});

test("every figure is an SVG document of its own with the colours of paper, every table is CSV", () => {
  fc.assert(
    fc.property(severalRecords, (records) => {
      for (const { name, content } of createReport(records, { prices }).files()) {
        if (name.endsWith(".csv")) {
          const rows = parseCsv(content);
          for (const row of rows) expect(row).toHaveLength(rows[0]!.length);
          continue;
        }
        expect(content).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<svg xmlns=/);
        expect(malformation(content.slice(content.indexOf("\n") + 1))).toBeNull();
        expect(content).not.toMatch(/var\(|prefers-color-scheme|NaN/);
      }
    }),
    { numRuns: 20 },
  );
});

test("tables hold the numbers themselves, not their texts", () => {
  const files = createReport([sampleRun({ name: 'a, "b"' }), sampleRun({ name: "c", seed: 2 })], {
    prices,
  }).files();
  const [head, first] = parseCsv(files.find(({ name }) => name === "runs.csv")!.content);
  const run = Object.fromEntries(head!.map((column, i) => [column, first![i]]));
  const record = sampleRun({ name: 'a, "b"' });
  const end = record.events.at(-1)!;
  if (end.type !== "runFinished") throw new Error("expected an end");
  const bytes = end.bytesSent.reduce((sum, sent) => sum + sent, 0);
  expect(run).toMatchObject({
    Run: 'a, "b"',
    Nodes: "3",
    "Time (s)": String(end.simulatedSeconds),
    "Sent by all (B)": String(bytes),
    "Cost ($)": String((3 * end.simulatedSeconds * 2) / 3600 + bytes * 1e-10),
  });
});

test("forty runs are a page of bounded size: groups by a setting, or the best in colour and the others grey", () => {
  const make = (config: (i: number) => ConfigTree): readonly RunRecord[] =>
    Array.from({ length: 40 }, (_, i) =>
      sampleRun({ name: `run-${i}`, seed: i, steps: 2000, config: config(i) }),
    );
  const grouped = renderReport(
    ...make((i) => ({ options: { strategy: { kind: ["ddp", "diloco"][i % 2]! } } })),
  );
  expect(grouped).toContain("strategy.kind=ddp (20 runs)");
  const others = renderReport(...make((i) => ({ options: { seed: i } })));
  expect(others).toContain("and 34 more");
  expect(others).toContain("Ask for a report of fewer runs to see the 32 others here.");
  for (const page of [grouped, others]) expect(Buffer.byteLength(page)).toBeLessThan(2e6);
});

test("settings in which runs differ are apart from those that they share; what cannot be compared is said", () => {
  const records = [
    sampleRun({ name: "a", config: { experiment: "digits", options: { nodes: 3, H: 10 } } }),
    sampleRun({ name: "b", config: { experiment: "mnist", options: { nodes: 3, H: 20 } } }),
  ];
  const page = renderReport(...records);
  expect(page).toContain("of different experiments");
  const rows = parseCsv(
    createReport(records)
      .files()
      .find(({ name }) => name === "config-differences.csv")!.content,
  );
  expect(rows).toEqual([
    ["Setting", "a", "b"],
    ["experiment", "digits", "mnist"],
    ["H", "10", "20"],
  ]);
});

test("runs that failed, go on, stand alone or are empty beside others", () => {
  const page = renderReport(
    sampleRun({ steps: 0, valInterval: 0, outcome: "failed", message: "No memory." }),
    sampleRun({ nodes: 1, valInterval: 0 }),
    sampleRun({ outcome: "unfinished", steps: 30 }),
    { ...empty, truncated: true },
  );
  expect(page).toContain("failed: No memory.");
  expect(page).toContain("The last line of events.jsonl of Unnamed run was cut off");
  expect(page).toContain("No time passed, so no node did anything.");
  expect(page).toContain("Nothing was sent.");
  expect(page).not.toContain("NaN");
});

/** RFC 4180. */
function parseCsv(text: string): readonly (readonly string[])[] {
  expect(text.endsWith("\r\n")).toBe(true);
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  const rows: string[][] = [[]];
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (match === null) throw new Error(`not CSV: ${text.slice(at, at + 60)}`);
    const [, quoted, plain, end] = match;
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end !== ",") rows.push([]);
  }
  return rows.slice(0, -1);
}

test("among several runs one that has diverged is counted, named and marked apart", () => {
  const bend = (loss: number, step: number): number => (step > 7 ? Number.NaN : loss);
  const page = renderReport(sampleRun({ name: "calm" }), sampleRun({ name: "wild", bend }));
  expect(page).toContain("1 completed, 1 diverged");
  expect(page).toContain("wild diverged: from step 8 on its loss is no finite number.");
});

test("a run that has diverged does not flatten the curves of the others", () => {
  const wildly = (loss: number, step: number): number => (step > 7 ? Number.NaN : loss * 10 ** (4 * step));
  const runs = [sampleRun({ name: "calm" }), sampleRun({ name: "wild", bend: wildly })];
  const { page, files } = createReport(runs);
  const alone = createReport([sampleRun({ name: "calm" }), sampleRun({ name: "calm too" })]).page;
  const labels = (of: string): readonly string[] => {
    const [figure = ""] = of.match(/<svg[^>]*data-box[\s\S]*?<\/svg>/) ?? [];
    return [...figure.matchAll(/<text[^>]*>([\d.,e+−-]+)<\/text>/g)].map(([, text]) => text!);
  };
  expect(labels(page).length).toBeGreaterThan(3);
  expect(labels(page)).toEqual(labels(alone));
  expect(page).toContain("Runs that diverged are drawn up to where their loss exceeds that of all others.");
  expect(files().some(({ name }) => name.startsWith("loss-of-runs"))).toBe(true);
});
