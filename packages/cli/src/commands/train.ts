// atoll train: one run of an experiment on simulated machines, from its options to its report.

import { resolve } from "node:path";
import { ConfigError, type ConfigTree, InterruptedError } from "@atoll/core";
import { mergeConfig, parseAssignments } from "@atoll/core/config";
import { summaryTable } from "@atoll/study";
import { readRun, writeReport } from "@atoll/study/node";
import type { Experiment, FitResult } from "@atoll/train";
import { LocalTrainer, RunDirectory, startWorkers, type Tracking } from "@atoll/train/node";
import { parseArguments } from "../arguments.ts";
import { createParts, keepVocabulary } from "../experimentParts.ts";
import { builtIns } from "../experiments/index.ts";
import { loadExperiment } from "../loadExperiment.ts";
import { Progress } from "../progress.ts";
import {
  fitOptionsOf,
  type ResolvedConfig,
  refuseChanges,
  resolveConfig,
  withDefaults,
} from "../runConfig.ts";
import { readersOf } from "../runReaders.ts";
import { runSummary } from "../runSummary.ts";
import type { Command, Terminal } from "../terminal.ts";
import { withTraces } from "../traceFiles.ts";
import { trainHelp } from "../trainHelp.ts";
import { VERSION } from "../version.ts";

interface TrainArguments {
  readonly experiment: string;
  /** The options given, as a tree. */
  readonly given: ConfigTree;
  readonly json: boolean;
  readonly name: string | undefined;
  readonly runsDirectory: string;
  readonly resume: boolean;
}

export const trainCommand: Command = {
  async help(argv, { workingDirectory }) {
    const named = argv.find((argument) => !argument.startsWith("-") && !argument.includes("="));
    return trainHelp(named === undefined ? builtIns : [await loadExperiment(named, workingDirectory)]);
  },
  async run(argv, terminal) {
    const parsed = readArguments(argv, terminal);
    const experiment = await loadExperiment(parsed.experiment, terminal.workingDirectory);
    await using run = parsed.resume ? openRun(parsed, terminal.workingDirectory) : undefined;
    const given = await withTraces(parsed.given, terminal.workingDirectory);
    const config = configOf(experiment, given, run?.config.options as ConfigTree | undefined);
    if (run) return await trainIn(run, experiment, config, parsed, terminal);
    const options = fitOptionsOf(config.run); // refuses bad combinations before a directory is made
    await using created = RunDirectory.create(
      parsed.runsDirectory,
      parsed.name ?? `${experiment.name}-${options.strategy.name}`,
      {
        named: parsed.name !== undefined,
        config: {
          atoll: VERSION,
          node: process.version,
          experiment: parsed.experiment,
          command: reproducing(argv),
          options: config.options,
        },
      },
    );
    return await trainIn(created, experiment, config, parsed, terminal);
  },
};

function readArguments(argv: readonly string[], { workingDirectory }: Terminal): TrainArguments {
  const { values, positionals } = parseArguments(argv, {
    json: { type: "boolean" },
    name: { type: "string" },
    "runs-dir": { type: "string" },
    resume: { type: "boolean" },
  });
  const [experiment, ...pairs] = positionals;
  if (experiment === undefined || experiment.includes("="))
    throw new ConfigError(
      `Expected an experiment first, got ${experiment === undefined ? "nothing" : `"${experiment}"`}. Example: npx atoll train digits nodes=3.`,
    );
  return {
    experiment,
    given: parseAssignments(pairs),
    json: values.json === true,
    name: values.name as string | undefined,
    runsDirectory: resolve(workingDirectory, (values["runs-dir"] as string | undefined) ?? "runs"),
    resume: values.resume === true,
  };
}

function openRun(
  { runsDirectory, name, experiment }: TrainArguments,
  workingDirectory: string,
): RunDirectory {
  if (name === undefined)
    throw new ConfigError(
      `--resume needs to know which run: add --name NAME (runs are in ${runsDirectory}).`,
    );
  const run = RunDirectory.open(runsDirectory, name);
  const path = (given: unknown): string => resolve(workingDirectory, String(given));
  if (path(run.config.experiment) !== path(experiment))
    throw new ConfigError(
      `Run "${name}" is of experiment "${String(run.config.experiment)}", not "${experiment}". Resume it with that, or choose a new name.`,
    );
  return run;
}

/** The command that starts the same run anew: without the flags that say where it goes or what it prints. */
function reproducing(argv: readonly string[]): readonly string[] {
  const kept = argv.filter((argument, i) => {
    const belongsToFlag = ["--name", "--runs-dir"].includes(argv[i - 1] ?? "");
    return !belongsToFlag && !/^--(name|runs-dir|json|resume)(=|$)/.test(argument);
  });
  return ["npx", "atoll", "train", ...kept];
}

/** A new run's options, or a resumed one's: those of its config.json, which the command line may repeat but not change. */
function configOf(experiment: Experiment, given: ConfigTree, saved: ConfigTree | undefined): ResolvedConfig {
  const merged = saved === undefined ? withDefaults(experiment, given) : mergeConfig(saved, given);
  const config = resolveConfig(experiment, merged);
  if (saved) refuseChanges(saved, config.options);
  return config;
}

async function trainIn(
  run: RunDirectory,
  experiment: Experiment,
  config: ResolvedConfig,
  parsed: TrainArguments,
  terminal: Terminal,
): Promise<number> {
  const progress = new Progress(terminal);
  const { interrupted: signal, now: wallClock } = terminal;
  await using workers = startWorkers(config.run.workers);
  const resume = run.resumeSnapshot();
  const parts = await createParts(experiment, config, terminal, progress);
  keepVocabulary(run, parts);
  const { emit, tracking } = readersOf(run, config, terminal, (event) => progress.show(event));
  try {
    const result = await new LocalTrainer({ ...parts, workers, wallClock }).fit({
      ...fitOptionsOf(config.run),
      name: run.name,
      checkpoints: run,
      signal,
      ...(resume === undefined ? {} : { resume }),
      emit,
    });
    await tracking.close();
    await finish(run, result, tracking, parsed.json, terminal);
    return 0;
  } catch (error) {
    // The run's own failure is what to tell of: a report that cannot be written either is no news after it.
    await tracking.close().catch(() => {});
    if (run.started) await closeFailed(run, error, parsed, terminal).catch(() => {});
    throw error;
  }
}

async function finish(
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

/** A run that was interrupted or failed still gets its report: what was done until then is not lost. */
async function closeFailed(
  run: RunDirectory,
  error: unknown,
  { experiment, runsDirectory }: TrainArguments,
  terminal: Terminal,
): Promise<void> {
  terminal.error(`Run     ${run.path}\n`);
  run.flush();
  terminal.error(`Report  ${await writeReport(run.path)}\n`);
  if (!(error instanceof InterruptedError)) return;
  const place =
    runsDirectory === resolve(terminal.workingDirectory, "runs") ? "" : ` --runs-dir ${runsDirectory}`;
  terminal.error(`Go on   npx atoll train ${experiment} --name ${run.name}${place} --resume\n`);
}
