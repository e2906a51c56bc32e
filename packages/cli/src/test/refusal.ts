// What every refusal of the command has in common.

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { runCommand } from "./command.ts";

/** One sentence that says what `message` does; nothing on standard output; no runs but those that `were` there before. */
export async function expectRefusalIn(
  directory: string,
  line: string,
  exitCode: number,
  message: RegExp,
  were: readonly string[] = [],
): Promise<void> {
  const result = await runCommand(line.split(" "), directory);
  expect(result.error).toMatch(message);
  expect(result.error).toMatch(/^atoll: [^\n]+\n$/);
  expect(result).toMatchObject({ exitCode, output: "" });
  expect(existsSync(join(directory, "runs")) ? await readdir(join(directory, "runs")) : []).toEqual(were);
}
