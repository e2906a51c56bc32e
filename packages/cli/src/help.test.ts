// The help texts: complete, narrow enough, and with examples that are accepted.

import { parseAssignments } from "@atoll/core/config";
import { expect, test } from "vitest";
import { z } from "zod";
import { choice } from "./choice.ts";
import { builtIns } from "./experiments/index.ts";
import { table } from "./help.ts";
import { describeOptions } from "./optionsHelp.ts";
import { fitOptionsOf, resolveConfig, withDefaults } from "./runConfig.ts";
import { runOptions } from "./runOptions.ts";
import { runCommand } from "./test/command.ts";

const helps = ["", "help", "--help", "-h", "help train", "train --help", "train digits nodes=3 -h"];

test.each(helps)("atoll %s: at most 100 columns, no trailing spaces, no defect of wording", async (line) => {
  const { exitCode, output, error } = await runCommand(line.split(" ").filter(Boolean), "/");
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: "" });
  for (const row of output.split("\n")) expect(row).toMatch(/^(.{0,99}\S)?$/);
  expect(output).not.toMatch(/undefined|\[object|NaN|(?<!key)=value\b/);
});

test("every option of every schema is in the help of train", async () => {
  const { output } = await runCommand(["help", "train"], "/");
  const names = [runOptions, ...builtIns.map(({ options }) => options)].flatMap((schema) =>
    Object.keys(schema.shape),
  );
  for (const name of names) expect(output).toMatch(new RegExp(`^ +${name}[ =.]`, "m"));
  for (const { name } of builtIns) expect(output).toContain(`Options of ${name}:`);
});

test("the examples in the help are accepted", async () => {
  const { output } = await runCommand(["help", "train"], "/");
  const lines = output.split("\n").filter((line) => /^ +npx atoll train \w+ .*=/.test(line));
  expect(lines.length).toBeGreaterThanOrEqual(3);
  for (const line of lines) {
    const [name, ...pairs] = line.trim().split(" ").slice(3);
    const experiment = builtIns.find((candidate) => candidate.name === name)!;
    const given = withDefaults(experiment, parseAssignments(pairs));
    expect(fitOptionsOf(resolveConfig(experiment, given).run).strategy.name).toBeTypeOf("string");
  }
});

test("what the branches of a choice have in common is said once, before them", () => {
  const shared = z.int().default(3).describe("of both");
  const entries = [
    { name: "a", summary: "the first", options: z.strictObject({ shared, own: z.string().optional() }) },
    { name: "b", summary: "the second", options: z.strictObject({ shared }) },
  ];
  const schema = z.strictObject({ pick: choice(entries, "a").describe("one of two") });
  expect(table(describeOptions(schema)).split("\n")).toEqual([
    "  pick=a|b               one of two (default a)",
    "    pick.shared=integer  of both (default 3)",
    "    pick=a               the first",
    "      pick.own=text",
    "    pick=b               the second",
  ]);
});

test("long names push their text to the next line, and long text wraps", () => {
  const rows = [["x".repeat(40), "word ".repeat(30).trim()] as const, ["y", "short"] as const];
  const lines = table(rows).split("\n");
  expect(lines[0]).toBe(`  ${"x".repeat(40)}`);
  expect(lines[1]).toMatch(/^ {38}word( word)+$/);
  expect(lines.at(-1)).toMatch(/^ {2}y {35}short$/);
});

test("--version", async () => {
  expect((await runCommand(["--version"], "/")).output).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("help for what is no command", async () => {
  const { exitCode, output, error } = await runCommand(["help", "trian"], "/");
  expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
  expect(error).toMatch(/Unknown command "trian"\. Did you mean "train"\?/);
});
