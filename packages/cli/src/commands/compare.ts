// atoll compare: runs a matrix of options, and says which wins where, and why.

import { basename, join, resolve } from "node:path";
import { makeDirectories, writeFileAtomic } from "@atoll/checkpoint/node";
import { ConfigError, InterruptedError } from "@atoll/core";
import {
  type Cell,
  type Comparison,
  type ComparisonReport,
  compareCells,
  comparisonJson,
  comparisonText,
  renderComparison,
} from "@atoll/study";
import { parseArguments } from "../arguments.ts";
import { comparisonDirectory } from "../compare/comparisonDirectory.ts";
import { type MatrixRun, planMatrix, type Training, trainingsOf } from "../compare/matrix.ts";
import { isFinished, refuseLeftOut, refuseOtherOptions } from "../compare/matrixRuns.ts";
import { refuseUnfit } from "../compare/refuseUnfit.ts";
import { type MatrixOutcome, runMatrix } from "../compare/runMatrix.ts";
import { table } from "../help.ts";
import { loadExperiment } from "../loadExperiment.ts";
import { numberOf } from "../numberFlag.ts";
import { type Command, STOPPING_NODES, type Terminal } from "../terminal.ts";

/** Dollars: about an A100's hour, and about what large clouds take for a GB that leaves them. */
const USUAL_PRICES = { nodeHour: 2, gigabyte: 0.09 };

const flags = {
  json: { type: "boolean" },
  name: { type: "string" },
  "runs-dir": { type: "string" },
  repeat: { type: "string" },
  "target-loss": { type: "string" },
  "price-node-hour": { type: "string" },
  "price-gigabyte": { type: "string" },
  figures: { type: "string" },
} as const;

interface CompareArguments {
  readonly experiment: string;
  readonly given: readonly string[];
  readonly json: boolean;
  readonly name: string | undefined;
  readonly runsDirectory: string;
  readonly repeats: number;
  readonly targetLoss: number | undefined;
  readonly prices: Comparison["prices"];
  /** Where figures and tables go as files of their own. */
  readonly figures: string | undefined;
}

export const compareCommand: Command = {
  whenInterrupted: STOPPING_NODES,
  help: async () => `Runs every combination of the options given, and compares loss, simulated time, bytes and cost.

Usage: npx atoll compare <experiment> key=value[,value…] … [flags]

Options are those of npx atoll train, each with one value or several. An option of a choice goes to those that
have it: strategy=ddp,diloco strategy.H=10,50 are three. One for a single value stands behind it and a colon:
network.topology=ring,torus torus:network.dimensions=[4,8]; it takes the place of what is given for all. Runs that
differ in their network only are trained once and repriced. A run that fails does not stop the others. Each run
has a directory below the comparison's.

Flags:
${table([
  ["--repeat N", "runs of each combination, with seeds seed, seed+1 …; default 1"],
  ["--target-loss X", "the loss to measure the time to; by default the lowest that all come to"],
  [
    "--price-node-hour X",
    `dollars of a node for an hour of simulated time (default ${USUAL_PRICES.nodeHour})`,
  ],
  ["--price-gigabyte X", `dollars of 10⁹ bytes sent (default ${USUAL_PRICES.gigabyte})`],
  ["--figures DIR", "also write each figure as SVG and each table as CSV to this directory"],
  ["--json", "print one JSON object with the comparison as the last line of standard output"],
  ["--name NAME", "the comparison's name; one that exists is gone on with"],
  ["--runs-dir DIR", "where its directory is made (default runs)"],
])}

Exit codes: 0 done, 1 a run failed, 2 the command line or config is wrong, 130 interrupted.

Examples:
  npx atoll compare digits strategy=ddp,diloco,sparta network.profile=datacenter,wan,mobile nodes=4,16
  npx atoll compare mnist strategy=diloco strategy.H=10,50,200 nodes=8 --repeat 3 --target-loss 0.3 --json
  npx atoll compare digits strategy=fedavg,diloco strategy.H=20 diloco:strategy.H=50,100 nodes=8
`,
  async run(argv, terminal) {
    const parsed = readArguments(argv, terminal);
    const { experiment: named, given, repeats, json, prices, targetLoss, figures } = parsed;
    const { workingDirectory } = terminal;
    const experiment = await loadExperiment(named, workingDirectory);
    const runs = await planMatrix({ experiment, given, repeats, workingDirectory });
    const trainings = trainingsOf(runs);
    const path = comparisonDirectory(parsed.runsDirectory, parsed.name, experiment.name);
    const directory = { path, experiment: named };
    for (const run of runs) refuseOtherOptions(directory, run);
    refuseLeftOut(directory, runs);
    const open = trainings.filter(({ runs }) => !runs.every((run) => isFinished(directory, run)));
    await refuseUnfit(open, { experiment, terminal });
    // What cannot be written is said before any work.
    for (const place of [path, ...(figures === undefined ? [] : [figures])]) makeDirectories(place);
    terminal.error(planText(runs, trainings, path));
    const outcomes = await runMatrix(trainings, { experiment, directory, terminal }).catch(
      (error: unknown) => {
        if (!(error instanceof InterruptedError)) throw error;
        throw new InterruptedError(
          `${error.message} What is done is kept; go on with the same command and --name ${basename(path)}.`,
          error,
        );
      },
    );
    const comparison = compareCells(cellsOf(runs, outcomes), { prices, targetLoss });
    const result = JSON.stringify({ directory: path, ...comparisonJson(comparison) });
    await writeFileAtomic(join(path, "comparison.json"), `${result}\n`);
    const title = { name: basename(path), experiment: named, command: ["npx", "atoll", "compare", ...argv] };
    const written = await writePages(renderComparison(comparison, title), path, figures);
    terminal.error(`\n${comparisonText(comparison)}\nRuns    ${path}\n${written}`);
    if (json) terminal.output(`${result}\n`);
    return comparison.cells.some(({ failures }) => failures.length > 0) ? 1 : 0;
  },
};

/** Writes the page, and its figures and tables if they are asked for; returns where they are, in lines. */
async function writePages(
  { page, files }: ComparisonReport,
  path: string,
  figures: string | undefined,
): Promise<string> {
  const report = join(path, "report.html");
  await writeFileAtomic(report, page);
  if (figures === undefined) return `Report  ${report}\n`;
  const saved = files();
  for (const { name, content } of saved) await writeFileAtomic(join(figures, name), content);
  return `Report  ${report}\nFigures ${figures} (${saved.length} files)\n`;
}

function readArguments(argv: readonly string[], { workingDirectory }: Terminal): CompareArguments {
  const { values, positionals } = parseArguments(argv, flags);
  const [experiment, ...given] = positionals;
  if (experiment === undefined || experiment.includes("="))
    throw new ConfigError(
      `Expected an experiment first, got ${experiment === undefined ? "nothing" : `"${experiment}"`}. Example: npx atoll compare digits strategy=ddp,diloco nodes=4.`,
    );
  const text = (name: keyof typeof flags): string | undefined => values[name] as string | undefined;
  const directory = values.figures === undefined ? undefined : resolve(workingDirectory, text("figures")!);
  return {
    experiment,
    given,
    json: values.json === true,
    name: text("name"),
    runsDirectory: resolve(workingDirectory, text("runs-dir") ?? "runs"),
    repeats: numberOf("--repeat", text("repeat"), { least: 1, whole: true }) ?? 1,
    targetLoss: numberOf("--target-loss", text("target-loss"), { least: Number.NEGATIVE_INFINITY }),
    figures: directory,
    prices: {
      nodeHour: numberOf("--price-node-hour", text("price-node-hour"), { least: 0 }) ?? USUAL_PRICES.nodeHour,
      gigabyte: numberOf("--price-gigabyte", text("price-gigabyte"), { least: 0 }) ?? USUAL_PRICES.gigabyte,
    },
  };
}

function planText(runs: readonly MatrixRun[], trainings: readonly Training[], path: string): string {
  const lines = trainings.map(({ runs: [first, ...others] }) => {
    const more = others.length === 0 ? "" : `; repriced: ${others.map(({ name }) => name).join(", ")}`;
    return `  ${first!.name}${more}\n`;
  });
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;
  return `${count(runs.length, "run")} from ${count(trainings.length, "training")}, in ${path}:\n${lines.join("")}`;
}

/** Repeats are one cell. */
function cellsOf(
  runs: readonly MatrixRun[],
  outcomes: ReadonlyMap<MatrixRun, MatrixOutcome>,
): readonly Cell[] {
  return [...Map.groupBy(runs, ({ label }) => label)].map(([label, repeats]) => {
    const ended = repeats.map((run) => outcomes.get(run)!);
    const done = ended.filter((outcome) => outcome.kind === "done");
    return {
      label,
      varied: repeats[0]!.varied,
      runs: done.map(({ facts }) => facts),
      failures: ended.flatMap((outcome) => (outcome.kind === "failed" ? [outcome.reason] : [])),
      latencyShare: done.find(({ latencyShare }) => latencyShare !== null)?.latencyShare ?? null,
    };
  });
}
