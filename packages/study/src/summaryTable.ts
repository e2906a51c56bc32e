// The short table that a terminal shows at the end of a run: plain text, aligned, at most 80 columns wide.

import { formatBytes, formatSeconds } from "@atoll/core";
import { describeDifferences } from "./compute.ts";
import { describeHappened, describeLeft } from "./faults.ts";
import { formatCount, formatLoss, formatPercent } from "./format.ts";
import type { RunRecord } from "./record.ts";
import {
  divergence,
  faultCounts,
  finalEvaluation,
  interpretRun,
  isWhatIf,
  meanBytesSent,
  meanNodeTime,
  mostBytesSent,
  type Outcome,
  type Run,
  simulatedSeconds,
  timeName,
} from "./run.ts";

const WIDTH = 80;
const NAME = 18;
const CELL = 14;

/** The table of a run, lines without trailing spaces, ending with a newline. Rows whose values are not known are left out. */
export function summaryTable(record: RunRecord): string {
  const run = interpretRun(record);
  const lines = [heading(run), ...messageLines(run), ...qualityRows(run), ...costRows(run)];
  return `${lines.map((line) => cut(line, WIDTH)).join("\n")}\n`;
}

const row = (name: string, ...cells: readonly string[]): string =>
  (name.padEnd(NAME) + cells.map((cell) => cell.padEnd(CELL)).join("")).trimEnd();

/** A list with commas, which goes on under itself where a line is full. */
function listRows(name: string, list: string): readonly string[] {
  const lines = wrap(list.split(/(?<=,) /), WIDTH - NAME);
  return lines.map((line, i) => row(i === 0 ? name : "", line));
}

function heading({ name, started, stepsDone, outcome }: Run): string {
  const steps = started ? `${formatCount(stepsDone)} of ${formatCount(started.maxSteps)} steps` : "no steps";
  const nodes = started && `${formatCount(started.nodes)} ${started.nodes === 1 ? "node" : "nodes"}`;
  const facts = [started?.strategy, nodes, steps, outcome.kind]
    .filter((fact) => typeof fact === "string")
    .join(", ");
  return `${cut(singleLine(name), Math.max(16, WIDTH - facts.length - 2))}  ${facts}`;
}

function messageOf(outcome: Outcome): string | null {
  if (outcome.kind === "diverged") return divergence(outcome.since);
  return "message" in outcome ? outcome.message : null;
}

function messageLines({ outcome }: Run): readonly string[] {
  const message = messageOf(outcome);
  if (message === null) return [];
  return wrap(singleLine(message).split(" "), WIDTH);
}

/** Parts with a space between them, on as many lines as they need; one that is too wide has a line of its own. */
function wrap(parts: readonly string[], width: number): readonly string[] {
  const lines = [""];
  for (const part of parts) {
    const line = lines.at(-1)!;
    const longer = line === "" ? part : `${line} ${part}`;
    if (line !== "" && longer.length > width) lines.push(part);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

function qualityRows(run: Run): readonly string[] {
  const evaluation = finalEvaluation(run);
  if (evaluation === null) {
    const loss = run.steps.loss.at(-1);
    return loss === undefined ? [] : [row("training loss", formatLoss(loss))];
  }
  const { split, loss, accuracy } = evaluation;
  const rows = [
    row("", "global", "local"),
    row(`${split} loss`, formatLoss(loss.global), formatLoss(loss.local)),
  ];
  if (accuracy !== null)
    rows.push(row(`${split} accuracy`, formatPercent(accuracy.global), formatPercent(accuracy.local)));
  return rows;
}

function costRows(run: Run): readonly string[] {
  const rows: string[] = [];
  const simulated = simulatedSeconds(run);
  if (simulated !== null) rows.push(row(timeName(run), formatSeconds(simulated)), ...timeSplit(run));
  const sent = meanBytesSent(run);
  const most = mostBytesSent(run);
  if (sent !== null)
    rows.push(row("sent per node", formatBytes(sent), most !== null ? `at most ${formatBytes(most)}` : ""));
  const differences = describeDifferences(run.settings.compute);
  if (isWhatIf(run.settings.strategy))
    rows.push(row("what-if", "gradients are sent while the backward pass still runs"));
  if (differences !== null) rows.push(...listRows("nodes differ", singleLine(differences)));
  rows.push(...faultRows(run));
  if (run.started) rows.push(row("parameters", formatCount(run.started.parameters)));
  // The clock on the wall starts anew with every part of a run.
  const resumedFrom = run.started?.resumedFrom ?? 0;
  const since = resumedFrom > 0 ? `since step ${formatCount(resumedFrom)}` : "";
  if (run.finished) rows.push(row("wall time", formatSeconds(run.finished.wallSeconds), since));
  return rows;
}

function faultRows(run: Run): readonly string[] {
  const counts = faultCounts(run);
  if (counts === null) return [];
  return [...listRows("faults", describeHappened(counts)), row("nodes at the end", describeLeft(counts))];
}

/** Where the simulated time went, on a line of its own. */
function timeSplit(run: Run): readonly string[] {
  const split = meanNodeTime(run);
  if (split === null) return [];
  const total = split.compute + split.communication + split.waiting;
  if (total === 0) return [];
  const share = (kind: keyof typeof split): string => `${kind} ${formatPercent(split[kind] / total, 1)}`;
  return [row("", [share("compute"), share("communication"), share("waiting")].join(", "))];
}

/** What came from a run must not move the cursor or break the line. */
const singleLine = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ");

/** By code points, so that no pair is cut in two. */
function cut(text: string, width: number): string {
  const points = [...text];
  return points.length <= width ? text : `${points.slice(0, width - 1).join("")}…`;
}
