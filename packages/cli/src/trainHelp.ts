// The help of `atoll train`, made from the schemas that also check the options.

import type { Experiment } from "@atoll/train";
import { table } from "./help.ts";
import { describeOptions } from "./optionsHelp.ts";
import { flatOptions } from "./runConfig.ts";
import { runOptions } from "./runOptions.ts";

/** An experiment's own options, and the run's options for which it has defaults of its own. */
function experimentHelp({ name, options, defaults = {} }: Experiment): string {
  const own = [...flatOptions(defaults)].map(
    ([path, value]) => `${path.replace(/\.kind$/, "")}=${value.replaceAll('"', "")}`,
  );
  const rows = [
    ...describeOptions(options),
    ...(own.length === 0 ? [] : [["defaults here", own.join(" ")] as const]),
  ];
  return `\nOptions of ${name}:\n${table(rows)}`;
}

export function trainHelp(experiments: readonly Experiment[]): string {
  return `Trains an experiment on N simulated machines and writes a run directory with a report.

Usage: npx atoll train <experiment> [key=value …] [flags]

Experiments: a TypeScript file whose default export is made by defineExperiment, or a built-in:
${table(experiments.map(({ name, summary }) => [name, summary]))}

Flags:
${table([
  ["--json", "print one JSON object with the results as the last line of standard output"],
  ["--name NAME", "the run's name; by default experiment-strategy with a number"],
  ["--runs-dir DIR", "where run directories are made (default runs)"],
  ["--resume", "go on with run --name from its last checkpoint"],
])}

Options of every run; a dot goes into a choice's own options, which are indented under it:
${table(describeOptions(runOptions))}
${experiments.map(experimentHelp).join("\n")}

Environment:
${table([["ATOLL_DATA", "directory of data sets; by default in the user's cache directory"]])}

Exit codes: 0 done, 1 the run failed, 2 the command line or config is wrong, 130 interrupted.
An interrupted run has a checkpoint and can be resumed.

Examples:
  npx atoll train digits nodes=3 strategy=fedavg strategy.H=20 network.profile=wan
  npx atoll train mnist model=smallCnn nodes=4 strategy=diloco strategy.H=50 network.profile=mobile
  npx atoll train nanogpt data.file=book.txt model.size=small optimizer.schedule=cosine
  npx atoll train examples/mnist.ts nodes=16 partition=dirichlet partition.alpha=0.1 --json
  npx atoll train digits --name demo --resume
`;
}
