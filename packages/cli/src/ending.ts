// How a training ends: with its model, its summary and its report. Loaded when it has come to that.

import { resolve } from "node:path";
import { InterruptedError } from "@atoll/core";
import { summaryTable } from "@atoll/study";
import { readRun, writeReport } from "@atoll/study/node";
import type { FitResult } from "@atoll/train";
import type { RunDirectory, Tracking } from "@atoll/train/node";
import { RanksLostError } from "@atoll/train/node/processes";
import { runSummary } from "./runSummary.ts";
import type { Terminal } from "./terminal.ts";

export async function finish(
  run: RunDirectory,
  result: FitResult,
  { hints }: Tracking,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const model = await run.writeModel(result);
  const record = await readRun(run.path);
  const summary = runSummary(run, result, record, terminal);
  run.writeSummary(summary);
  const report = await writeReport(run.path);
  const table = summaryTable({ ...record, summary });
  terminal.error(`\n${table}\nRun     ${run.path}\nModel   ${model}\nReport  ${report}\n`);
  for (const hint of hints) terminal.error(`Track   ${hint}\n`);
  if (json) terminal.output(`${JSON.stringify(summary)}\n`);
}

/** What a run was asked for, as far as going on with it needs that. */
interface Asked {
  readonly experiment: string;
  readonly runsDirectory: string;
}

/** A run that was interrupted or failed still gets its report: what was done until then is not lost. */
export async function closeFailed(
  run: RunDirectory,
  error: unknown,
  { experiment, runsDirectory }: Asked,
  terminal: Terminal,
): Promise<void> {
  terminal.error(`Run     ${run.path}\n`);
  run.flush();
  terminal.error(`Report  ${await writeReport(run.path)}\n`);
  // What failed may fail again, unless it was a node that was lost.
  if (!(error instanceof InterruptedError || error instanceof RanksLostError) || !run.hasCheckpoint) return;
  const place =
    runsDirectory === resolve(terminal.workingDirectory, "runs") ? "" : ` --runs-dir ${runsDirectory}`;
  terminal.error(`Go on   npx atoll train ${experiment} --name ${run.name}${place} --resume\n`);
}
