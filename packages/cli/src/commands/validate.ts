// atoll validate: runs an experiment as processes and simulated, and holds the predicted times against the measured ones.

import { ConfigError, formatSeconds, type RunStarted } from "@atoll/core";
import { textTable } from "@atoll/study";
import { parseArguments } from "../arguments.ts";
import { table } from "../help.ts";
import { loadExperiment } from "../loadExperiment.ts";
import { describeLinks } from "../progress.ts";
import { refuseWithoutRoom } from "../ranks/roomForProcesses.ts";
import { type Command, STOPPING_NODES } from "../terminal.ts";
import { casesOf } from "../validate/cases.ts";
import { type CaseOutcome, runCase } from "../validate/runCase.ts";

const flags = { json: { type: "boolean" } } as const;

export const validateCommand: Command = {
  whenInterrupted: STOPPING_NODES,
  help: async () => `Runs an experiment as processes of this machine, whose links are held back as the network's options say, and
simulated, and compares the times. The simulation's steps take what each process's own work took, on average, in the same run:
so the difference is the network's, and the waiting for each other.

Usage: npx atoll validate <experiment> [key=value[,value…] …] [flags]

Options are those of npx atoll train, each with one value or several, as npx atoll compare takes them; by default nodes=3
maxSteps=20 valSize=0. To their combinations come three cases that are hard for a model of a network: many senders and one
receiver (incast star), links of different lengths in one collective (mixed RTT), and bytes that go both ways at once (both
ways).
Other programs that compute meanwhile make the figures worse: the load of the machine is told with them.

Flags:
${table([["--json", "print one JSON object with the times as the last line of standard output"]])}

Exit codes: 0 done, 1 a run failed, 2 the command line or config is wrong, 130 interrupted.

Examples:
  npx atoll validate digits network.profile=datacenter,wan,mobile strategy=fedavg strategy.H=5
  npx atoll validate mnist strategy=ddp,diloco network.profile=wan nodes=4 --json
`,
  async run(argv, terminal) {
    const { values, positionals } = parseArguments(argv, flags);
    const [named, ...given] = positionals;
    if (named === undefined || named.includes("="))
      throw new ConfigError(
        `Expected an experiment first, got ${named === undefined ? "nothing" : `"${named}"`}. Example: npx atoll validate digits network.profile=wan.`,
      );
    const experiment = await loadExperiment(named, terminal.workingDirectory);
    const cases = await casesOf(experiment, given, terminal.workingDirectory);
    for (const { config } of cases) refuseWithoutRoom(config.run, terminal);
    const outcomes: CaseOutcome[] = [];
    let said: string | undefined;
    const onStarted = (event: RunStarted): void => {
      const links = describeLinks(event);
      if (links !== undefined && links !== said) terminal.error(`${links}\n`);
      said = links ?? said;
    };
    for (const each of cases) {
      outcomes.push(await runCase(each, { named, experiment, terminal, onStarted }));
      terminal.error(`${each.label}: ${signed(outcomes.at(-1)!.error)}\n`);
    }
    const summary = {
      median: medianOf(outcomes),
      p95: quantile(outcomes, 0.95),
      load: terminal.loadAverage(),
    };
    terminal.error(`\n${tableOf(outcomes)}\n\n${summaryOf(summary)}\n`);
    if (values.json === true) terminal.output(`${JSON.stringify({ cases: outcomes, ...summary })}\n`);
    return 0;
  },
};

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
const signed = (part: number): string => `${part < 0 ? "−" : "+"}${percent(Math.abs(part))}`;

const absoluteErrors = (outcomes: readonly CaseOutcome[]): readonly number[] =>
  outcomes.map(({ error }) => Math.abs(error)).sort((a, b) => a - b);

function medianOf(outcomes: readonly CaseOutcome[]): number {
  const errors = absoluteErrors(outcomes);
  const half = errors.length / 2;
  return (errors[Math.ceil(half) - 1]! + errors[Math.floor(half)]!) / 2;
}

/** Of the absolute errors, the one of the rank nearest above. */
function quantile(outcomes: readonly CaseOutcome[], p: number): number {
  const errors = absoluteErrors(outcomes);
  return errors[Math.max(0, Math.ceil(p * errors.length) - 1)]!;
}

function tableOf(outcomes: readonly CaseOutcome[]): string {
  const head = ["case", "predicted", "measured", "error", "steps' error", "of it communication"];
  const rows = outcomes.map(({ label, predicted, measured, error, stepError }) => [
    label,
    formatSeconds(predicted.seconds),
    formatSeconds(measured.seconds),
    signed(error),
    percent(stepError),
    percent(measured.communication / measured.seconds),
  ]);
  return textTable(head, rows).join("\n");
}

const summaryOf = ({ median, p95, load }: { median: number; p95: number; load: number }): string =>
  `Error of the run's time: median ${percent(median)}, 95 % of the cases at most ${percent(p95)}. Load of the machine: ${load.toFixed(1)}.`;
