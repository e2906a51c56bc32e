// The validation table from fewer cases, so that it cannot rot, and that it would notice a wrong model.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { validate } from "./index.ts";
import { Deviations, outcomeOf, QUICK, type Row, tableOf } from "./row.ts";

let rows: readonly Row[];

beforeAll(async () => {
  rows = await validate(QUICK);
});

test("every pass mark is met", () => {
  expect(rows.filter((row) => outcomeOf(row) === "FAIL")).toEqual([]);
  expect(rows.filter(({ kind }) => kind === "marked").length).toBeGreaterThan(15);
});

test("docs/network.md has every line, with its pass mark and outcome", () => {
  const docs = readFileSync(join(import.meta.dirname, "../../docs/network.md"), "utf8");
  const cellsOf = (line: string): readonly string[] =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const documented = docs
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map(cellsOf);
  // How many cases there are and how far off the worst is depend on the extent.
  const fixed = ([name, , , mark, outcome]: readonly string[]): readonly (string | undefined)[] => [
    name,
    mark,
    outcome,
  ];
  const expected = tableOf(rows).split("\n").slice(2).map(cellsOf).map(fixed);
  expect(documented.map(fixed)).toEqual(expect.arrayContaining(expected));
});

describe("a row", () => {
  const of = (...deviations: readonly number[]): Row => {
    const collected = new Deviations();
    for (const deviation of deviations) collected.add(deviation);
    return collected.row("test", 0.01);
  };

  test("passes up to its mark; the worst counts, and a comparison with nothing is none", () => {
    expect(outcomeOf(of(0, 0.01, 0))).toBe("pass");
    expect(outcomeOf(of(0.02, 0))).toBe("FAIL");
    expect(outcomeOf(of(Number.NaN, 0))).toBe("FAIL");
    expect(() => of()).toThrow("test: no cases");
  });

  test("is relative, and printed without the digits of rounding", () => {
    const deviations = new Deviations();
    deviations.compare(0.99, 1);
    deviations.compare(0, 0);
    expect(deviations.row("a", 0.02)).toMatchObject({ cases: 2, worst: expect.closeTo(0.01, 12) });
    expect(tableOf([deviations.row("a", 0.02)])).toContain("| 1 %");
    expect(tableOf([of(1e-15)])).toContain("| rounding");
    expect(tableOf([of(0.5)])).toContain("| FAIL");
  });
});
