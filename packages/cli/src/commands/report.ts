// atoll report: one page on one or more recorded runs, with its figures and tables as files if they are asked for.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeDirectories, writeFileAtomic } from "@atoll/checkpoint/node";
import { ConfigError, formatBytes, formatSeconds } from "@atoll/core";
import {
  createReport,
  formatDollars,
  formatLoss,
  type Prices,
  type RunRecord,
  type RunSummary,
  textTable,
} from "@atoll/study";
import { readRun } from "@atoll/study/node";
import { parseArguments } from "../arguments.ts";
import { table } from "../help.ts";
import { numberOf } from "../numberFlag.ts";
import { preparePagePath } from "../pagePath.ts";
import { type NamedRuns, namedRuns } from "../runPaths.ts";
import type { Command, Terminal } from "../terminal.ts";

const flags = {
  json: { type: "boolean" },
  out: { type: "string" },
  figures: { type: "string" },
  "price-node-hour": { type: "string" },
  "price-gigabyte": { type: "string" },
  "runs-dir": { type: "string" },
} as const;

interface ReportArguments {
  readonly names: readonly string[];
  readonly json: boolean;
  readonly runsDirectory: string;
  readonly out: string | undefined;
  readonly figures: string | undefined;
  readonly prices: Partial<Prices>;
}

export const reportCommand: Command = {
  help: async () => `Makes one page of one or more runs: their losses on the same axes, what they cost, what each node and link did when,
their networks, and what they differ in. The page needs no network, and each figure and table can be saved from it.

Usage: npx atoll report <run> … [flags]

<run> is the name of a run, its directory, or a comparison with all its runs. The page of one run is its
report.html, that of a comparison its runs.html, that of several report.html beside the runs.

Flags:
${table([
  ["--out FILE", "where the page goes instead; replaces none but a page of Atoll's"],
  ["--figures DIR", "also write each figure as SVG and each table as CSV to this directory"],
  ["--price-node-hour X", "dollars of a node for an hour of simulated time; by default a comparison's own"],
  ["--price-gigabyte X", "dollars of 10⁹ bytes sent; by default a comparison's own"],
  ["--json", "print one JSON object with the runs' figures as the last line of standard output"],
  ["--runs-dir DIR", "where run directories are (default runs)"],
])}

Exit codes: 0 done, 1 a run cannot be read, 2 the command line is wrong.

Examples:
  npx atoll report digits-ddp-001 digits-diloco-001 --figures appendix
  npx atoll report digits-compare-001 --out compared.html --json
`,
  async run(argv, terminal) {
    const { names, json, runsDirectory, out, figures, prices } = readArguments(argv, terminal);
    const { workingDirectory } = terminal;
    const named = namedRuns(names, { runsDirectory, workingDirectory });
    const path = out ?? usualPath(named, runsDirectory);
    preparePagePath("--out", path);
    if (figures !== undefined) makeDirectories(figures);
    const directories = named.flatMap(({ runs }) => runs);
    const records: RunRecord[] = [];
    for (const directory of directories) records.push(await readRun(directory));
    const report = createReport(records, { prices: pricesOf(prices, named) });
    await writeFileAtomic(path, report.page);
    const files = figures === undefined ? [] : report.files();
    for (const { name, content } of files) await writeFileAtomic(join(figures!, name), content);
    const written = figures === undefined ? "" : `Figures ${figures} (${files.length} files)\n`;
    terminal.error(`${textOf(report.runs)}\n\nReport  ${path}\n${written}`);
    if (json) {
      const runs = report.runs.map((run, i) => ({ ...run, directory: directories[i]! }));
      const saved = files.map(({ name }) => join(figures!, name));
      terminal.output(`${JSON.stringify({ report: path, figures: saved, runs })}\n`);
    }
    return 0;
  },
};

function readArguments(argv: readonly string[], { workingDirectory }: Terminal): ReportArguments {
  const { values, positionals } = parseArguments(argv, flags);
  const assignment = positionals.find(
    (name) => name.includes("=") && !existsSync(resolve(workingDirectory, name)),
  );
  if (positionals.length === 0 || assignment !== undefined)
    throw new ConfigError(
      `Expected runs, got ${assignment === undefined ? "none" : `"${assignment}"`}. Example: npx atoll report digits-ddp-001 digits-diloco-001.`,
    );
  const text = (name: keyof typeof flags): string | undefined => values[name] as string | undefined;
  const place = (name: keyof typeof flags): string | undefined => {
    const given = text(name);
    return given === undefined ? undefined : resolve(workingDirectory, given);
  };
  const nodeHour = numberOf("--price-node-hour", text("price-node-hour"), { least: 0 });
  const gigabyte = numberOf("--price-gigabyte", text("price-gigabyte"), { least: 0 });
  return {
    names: positionals,
    json: values.json === true,
    runsDirectory: place("runs-dir") ?? resolve(workingDirectory, "runs"),
    out: place("out"),
    figures: place("figures"),
    prices: {
      ...(nodeHour === undefined ? {} : { nodeHour }),
      ...(gigabyte === undefined ? {} : { gigabyte }),
    },
  };
}

/** A comparison has a report.html of its own, which says which contender wins where. */
function usualPath(named: readonly NamedRuns[], runsDirectory: string): string {
  const [first, ...others] = named;
  if (others.length > 0) return join(runsDirectory, "report.html");
  return join(first!.path, first!.kind === "run" ? "report.html" : "runs.html");
}

/** Prices that were given, completed by those of a comparison; none where nothing is priced. */
function pricesOf(given: Partial<Prices>, named: readonly NamedRuns[]): Prices | null {
  const own = named.map(({ path }) => comparisonPrices(path)).find((prices) => prices !== null);
  if (own === undefined && Object.keys(given).length === 0) return null;
  return { nodeHour: 0, gigabyte: 0, ...own, ...given };
}

function comparisonPrices(path: string): Prices | null {
  const file = join(path, "comparison.json");
  if (!existsSync(file)) return null;
  let prices: unknown;
  try {
    ({ prices } = JSON.parse(readFileSync(file, "utf8")) as { readonly prices?: unknown });
  } catch {
    return null;
  }
  return isPrices(prices) ? prices : null;
}

const isPrices = (value: unknown): value is Prices =>
  typeof value === "object" &&
  value !== null &&
  "nodeHour" in value &&
  typeof value.nodeHour === "number" &&
  "gigabyte" in value &&
  typeof value.gigabyte === "number";

/** The runs as a terminal shows them. */
function textOf(runs: readonly RunSummary[]): string {
  const priced = runs.some(({ dollars }) => dollars !== null);
  const show = <T>(value: T | null, format: (value: T) => string): string =>
    value === null ? "–" : format(value);
  const rows = runs.map((run) => [
    run.name,
    run.outcome,
    show(run.loss, formatLoss),
    show(run.accuracy, (accuracy) => `${(100 * accuracy).toFixed(1)} %`),
    show(run.simulatedSeconds, formatSeconds),
    show(run.totalBytes, formatBytes),
    ...(priced ? [show(run.dollars, formatDollars)] : []),
  ]);
  const head = ["", "outcome", "loss", "accuracy", "time", "sent", ...(priced ? ["cost"] : [])];
  return textTable(head, rows).join("\n");
}
