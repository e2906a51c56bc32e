// Writes the report of a run beside its events.

import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, RunError } from "@atoll/core";
import { renderReport } from "../report/report.ts";
import { readRun } from "./readRun.ts";

/**
 * Makes `report.html` in the run directory from what the run wrote there; an older report is replaced whole.
 * @returns the path of the report
 * @throws RunError where the run cannot be read or the report cannot be written
 */
export async function writeReport(directory: string): Promise<string> {
  const page = renderReport(await readRun(directory));
  const path = join(directory, "report.html");
  try {
    await writeFile(`${path}.part`, page);
    await rename(`${path}.part`, path);
  } catch (cause) {
    await rm(`${path}.part`, { force: true });
    throw new RunError(
      `Cannot write ${path}: ${messageOf(cause)}. Free some space or change its owner.`,
      cause,
    );
  }
  return path;
}
