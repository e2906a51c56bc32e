// atoll reprice: times a recorded run on other networks, without training again.

import { resolve } from "node:path";
import { ConfigError, type ConfigTree, formatSeconds } from "@atoll/core";
import { mergeConfig, parseAssignments } from "@atoll/core/config";
import { formatFactor, type RunCosts, reprice, runCosts, textTable } from "@atoll/study";
import { parseArguments } from "../arguments.ts";
import { createParts } from "../experimentParts.ts";
import { table } from "../help.ts";
import { combinations, labelOf } from "../optionLists.ts";
import { describeOptions } from "../optionsHelp.ts";
import { Progress } from "../progress.ts";
import { openRecordedRun, type RecordedRun } from "../recordedRun.ts";
import { fitOptionsOf, type ResolvedConfig, resolveConfig } from "../runConfig.ts";
import { networkOptions } from "../runOptions.ts";
import type { Command, Terminal } from "../terminal.ts";
import { withTraces } from "../traceFiles.ts";

/** A network to time the run on. */
interface Candidate {
  /** What it differs in, "network.profile=wan". */
  readonly label: string;
  readonly config: ResolvedConfig;
}

interface Priced {
  readonly label: string;
  readonly costs: RunCosts;
}

const flags = {
  json: { type: "boolean" },
  "runs-dir": { type: "string" },
} as const;

export const repriceCommand: Command = {
  async help() {
    return `Times a recorded run on other networks, without training again. The numbers that it learned do not depend on
the network, as long as nodes wait for each other: asynchronous runs and runs that met faults are refused.

Usage: npx atoll reprice <run> network.…=value[,value…] [flags]

<run> is the name of a run, or its directory. Options are those of the network; what is not given stays as
in the run. Of several values all combinations are timed; an option for one value stands behind it and a colon
(torus:network.dimensions=[4,8]). Times are exactly those of training there with the same options and the run's
all-reduce algorithm.

Flags:
${table([
  ["--json", "print one JSON object with the times as the last line of standard output"],
  ["--runs-dir DIR", "where run directories are (default runs)"],
])}

Options:
${table(describeOptions(networkOptions))}

Exit codes: 0 done, 1 failed, 2 the command line or config is wrong, 130 interrupted.

Examples:
  npx atoll reprice digits-diloco-001 network.profile=datacenter,wan,mobile
  npx atoll reprice runs/demo network.topology=ring,star network.bandwidth=1e6,1e7 --json
`;
  },
  async run(argv, terminal) {
    const { values, positionals } = parseArguments(argv, flags);
    const [name, ...pairs] = positionals;
    if (name === undefined || name.includes("="))
      throw new ConfigError(
        `Expected a run first, got ${name === undefined ? "nothing" : `"${name}"`}. Example: npx atoll reprice digits-ddp-001 network.profile=wan,mobile.`,
      );
    const { workingDirectory } = terminal;
    const runsDirectory = resolve(workingDirectory, (values["runs-dir"] as string | undefined) ?? "runs");
    const run = await openRecordedRun(name, { runsDirectory, workingDirectory });
    const candidates = await candidatesOf(run, pairs, workingDirectory);
    const priced = await price(run, candidates, terminal);
    const recorded = { label: "as recorded", costs: runCosts(run.record) };
    terminal.error(`${tableOf(recorded, priced)}\n`);
    if (values.json === true) terminal.output(`${JSON.stringify(jsonOf(run, recorded, priced))}\n`);
    return 0;
  },
};

/** Bad input is refused before anything is timed. */
async function candidatesOf(
  { experiment, options }: RecordedRun,
  pairs: readonly string[],
  workingDirectory: string,
): Promise<readonly Candidate[]> {
  const all = combinations(pairs);
  const foreign = all.flatMap((one) => one.pairs).find((pair) => !/^network\.\w/.test(pair));
  if (foreign !== undefined)
    throw new ConfigError(
      `Option "${foreign.split("=")[0]}": expected options of the network, as network.profile=wan,mobile. Other options make another training: use npx atoll train.`,
    );
  if (pairs.length === 0)
    throw new ConfigError(
      "Expected a network to time the run on, got none. Example: network.profile=datacenter,wan,mobile.",
    );
  return Promise.all(
    all.map(async (combination) => {
      const given = await withTraces(parseAssignments(combination.pairs), workingDirectory);
      const config = resolveConfig(experiment, mergeConfig(options, given));
      return { label: labelOf(combination) || combination.pairs.join(" "), config };
    }),
  );
}

async function price(
  { record, experiment, options }: RecordedRun,
  candidates: readonly Candidate[],
  terminal: Terminal,
): Promise<readonly Priced[]> {
  const recorded = resolveConfig(experiment, options);
  const parts = await createParts(experiment, recorded, terminal, new Progress(terminal));
  const priced: Priced[] = [];
  for (const { label, config } of candidates) {
    const repriced = await reprice({
      record,
      parts,
      fit: fitOptionsOf(recorded.run),
      network: fitOptionsOf(config.run).network ?? {},
      signal: terminal.interrupted,
    });
    priced.push({ label, costs: runCosts(repriced) });
  }
  return priced;
}

function tableOf(recorded: Priced, priced: readonly Priced[]): string {
  const head = ["network", "simulated", "compute", "communication", "waiting", "of recorded"];
  const rows = [recorded, ...priced].map(({ label, costs }) => [
    label,
    formatSeconds(costs.simulatedSeconds),
    formatSeconds(costs.computeSeconds),
    formatSeconds(costs.communicationSeconds),
    formatSeconds(costs.waitingSeconds),
    `${formatFactor(costs.simulatedSeconds / recorded.costs.simulatedSeconds)}×`,
  ]);
  return textTable(head, rows).join("\n");
}

function jsonOf({ path, record }: RecordedRun, recorded: Priced, priced: readonly Priced[]): ConfigTree {
  const entry = ({ label, costs }: Priced): ConfigTree => ({ network: label, ...costs });
  return {
    run: path,
    strategy: record.events.find((event) => event.type === "runStarted")?.strategy ?? null,
    recorded: entry(recorded),
    networks: priced.map(entry),
  };
}
