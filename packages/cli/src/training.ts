// A training from its command line to its report: of `atoll train` and of `atoll node`, on simulated machines or processes.
// Rank 0 leaves the run's record; any other rank of a run serves it (ranks/serveRank.ts).

import { resolve } from "node:path";
import { ConfigError, type ConfigTree } from "@atoll/core";
import { mergeConfig, parseAssignments } from "@atoll/core/config";
import type { Experiment } from "@atoll/train";
import { RunDirectory } from "@atoll/train/node";
import { parseArguments } from "./arguments.ts";
import { createParts, keepVocabulary } from "./experimentParts.ts";
import { loadExperiment } from "./loadExperiment.ts";
import { Progress } from "./progress.ts";
import { createTrainer, workersOf } from "./ranks/createTrainer.ts";
import { type RankFlags, type RankPlace, rankFlags } from "./ranks/rankPlace.ts";
import { refuseWithoutRoom } from "./ranks/roomForProcesses.ts";
import type { runServingRank } from "./ranks/servingRank.ts";
import { openResumedRun, refuseUnclearResume } from "./resumedRun.ts";
import {
  fitOptionsOf,
  type ResolvedConfig,
  refuseChanges,
  resolveConfig,
  withDefaults,
} from "./runConfig.ts";
import { readersOf } from "./runReaders.ts";
import type { RunWorkers } from "./runWorkers.ts";
import type { Terminal } from "./terminal.ts";
import { withTraces } from "./traceFiles.ts";
import { VERSION } from "./version.ts";

export interface TrainArguments {
  /** The command's name and arguments, without what says where the run goes and what it prints. */
  readonly command: readonly string[];
  readonly experiment: string;
  /** The options given, as a tree. */
  readonly given: ConfigTree;
  readonly json: boolean;
  readonly name: string | undefined;
  readonly runsDirectory: string;
  readonly resume: boolean;
}

/** The experiment that a training's arguments name. */
export const namedExperiment = (argv: readonly string[]): string | undefined =>
  argv.find((argument) => !argument.startsWith("-") && !argument.includes("="));

const trainFlags = {
  json: { type: "boolean" },
  name: { type: "string" },
  "runs-dir": { type: "string" },
  resume: { type: "boolean" },
} as const;

/** @throws ConfigError for a flag that there is none of, or no experiment */
export function readTraining(
  command: "train" | "node",
  argv: readonly string[],
  { workingDirectory }: Terminal,
): TrainArguments & { readonly flags: RankFlags } {
  const known = command === "node" ? { ...trainFlags, ...rankFlags } : trainFlags;
  const { values, positionals } = parseArguments(
    argv.map((argument) => argument.replace(/^--resume=.*$/s, "--resume")), // Refused below, with what was meant.
    known,
  );
  const [first, ...pairs] = positionals;
  const experiment = first?.includes("=") ? undefined : first;
  const name = values.name as string | undefined;
  const givenDirectory = values["runs-dir"] as string | undefined;
  const runsDirectory = resolve(workingDirectory, givenDirectory ?? "runs");
  const resume = values.resume === true;
  if (resume) refuseUnclearResume(argv, { command, experiment, name, runsDirectory, givenDirectory });
  if (experiment === undefined)
    throw new ConfigError(
      `Expected an experiment first, got ${first === undefined ? "nothing" : `"${first}"`}. Example: npx atoll train digits nodes=3.`,
    );
  return {
    command: reproducing(command, argv),
    experiment,
    given: parseAssignments(pairs),
    json: values.json === true,
    name,
    runsDirectory,
    resume,
    flags: values,
  };
}

/**
 * Trains, and leaves a run directory; as any rank but 0 of a run on several processes, serves rank 0.
 * @param place of a rank that was started by a launcher, which has started the others, too
 */
export async function train(
  parsed: TrainArguments,
  place: RankPlace | undefined,
  terminal: Terminal,
  workers: RunWorkers,
): Promise<number> {
  const experiment = await loadExperiment(parsed.experiment, terminal.workingDirectory);
  const given = placed(await withTraces(parsed.given, terminal.workingDirectory), place);
  if (place !== undefined && place.rank > 0)
    return await serve(experiment, configOf(experiment, given), place, terminal);
  await using run = parsed.resume
    ? openResumedRun({ ...parsed, name: parsed.name! }, terminal.workingDirectory)
    : undefined;
  const config = configOf(experiment, given, run?.config.options as ConfigTree | undefined);
  if (place === undefined) refuseWithoutRoom(config.run, terminal);
  if (run) return await trainIn(run, { experiment, config, parsed, place, workers }, terminal);
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
        command: parsed.command,
        options: config.options,
      },
    },
  );
  return await trainIn(created, { experiment, config, parsed, place, workers }, terminal);
}

async function serve(...rank: Parameters<typeof runServingRank>): ReturnType<typeof runServingRank> {
  const serving = await import("./ranks/servingRank.ts");
  return serving.runServingRank(...rank);
}

/** A launcher's ranks are processes, and as many as it has started. @throws ConfigError if the options say otherwise */
function placed(given: ConfigTree, place: RankPlace | undefined): ConfigTree {
  if (place === undefined) return given;
  const { nodes = place.worldSize, mode = "processes" } = given;
  if (nodes !== place.worldSize)
    throw new ConfigError(
      `Option "nodes": expected ${place.worldSize}, as many as ranks were started, got ${JSON.stringify(nodes)}. Leave it out, or start as many ranks.`,
    );
  if (mode !== "processes")
    throw new ConfigError(
      `Option "mode": expected processes, since this is rank ${place.rank} of ${place.worldSize}, got ${JSON.stringify(mode)}. Leave it out, or unset RANK and WORLD_SIZE.`,
    );
  return { ...given, nodes, mode };
}

/** The command that starts the same run anew: without the flags that say where it goes or what it prints. */
function reproducing(command: string, argv: readonly string[]): readonly string[] {
  const kept = argv.filter((argument, i) => {
    const belongsToFlag = ["--name", "--runs-dir"].includes(argv[i - 1] ?? "");
    return !belongsToFlag && !/^--(name|runs-dir|json|resume)(=|$)/.test(argument);
  });
  return ["npx", "atoll", command, ...kept];
}

/**
 * A new run's options, or a resumed one's: those of its config.json, which the command line may repeat but not change. Only
 * what its nodes are may change, and with it how long their steps take.
 */
function configOf(experiment: Experiment, given: ConfigTree, saved?: ConfigTree): ResolvedConfig {
  if (saved === undefined) return resolveConfig(experiment, withDefaults(experiment, given));
  const { compute: _, ...others } = saved;
  const changesNodes = given.mode !== undefined && given.mode !== (saved.mode ?? "simulated");
  const base = changesNodes ? withDefaults(experiment, { ...others, mode: given.mode! }) : saved;
  const config = resolveConfig(experiment, mergeConfig(base, given));
  refuseChanges(changesNodes ? { ...saved, compute: config.options.compute! } : saved, config.options);
  return config;
}

interface Training {
  readonly experiment: Experiment;
  readonly config: ResolvedConfig;
  readonly parsed: TrainArguments;
  readonly place: RankPlace | undefined;
  readonly workers: RunWorkers;
}

/** What only the end of a run needs does not hold up its beginning. */
const loadEnding = (): Promise<typeof import("./ending.ts")> => import("./ending.ts");

async function trainIn(
  run: RunDirectory,
  { experiment, config, parsed, place, workers: threads }: Training,
  terminal: Terminal,
): Promise<number> {
  const progress = new Progress(terminal);
  const workers = await threads.take(workersOf(config.run, place));
  const resume = run.resumeSnapshot();
  const parts = await createParts(experiment, config, terminal, progress);
  keepVocabulary(run, parts);
  const { emit, tracking } = readersOf(run, config, terminal, (event) => progress.show(event));
  try {
    const context = { experiment: parsed.experiment, config, parts, workers, place };
    const trainer = await createTrainer(context, terminal);
    const result = await trainer.fit({
      ...fitOptionsOf(config.run),
      name: run.name,
      checkpoints: run,
      signal: terminal.interrupted,
      ...(resume === undefined ? {} : { resume }),
      emit,
    });
    await tracking.close();
    await (await loadEnding()).finish(run, result, tracking, parsed.json, terminal);
    return 0;
  } catch (error) {
    // The run's own failure is what to tell of: a report that cannot be written either is no news after it.
    await tracking.close().catch(() => {});
    if (run.started)
      await loadEnding()
        .then(({ closeFailed }) => closeFailed(run, error, parsed, terminal))
        .catch(() => {});
    throw error;
  }
}
