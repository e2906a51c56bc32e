// The matrix of a comparison: every combination of the options given, each with its repeats, and which of these runs one
// training serves. Everything is resolved here, so that bad input is refused before any work.

import { ConfigError, type ConfigTree, messageOf } from "@atoll/core";
import { parseAssignments } from "@atoll/core/config";
import {
  checkFitOptions,
  type Experiment,
  type FitOptions,
  isAsynchronous,
  optimizerEntries,
  strategyEntries,
} from "@atoll/train";
import { type Combination, combinations, labelOf } from "../optionLists.ts";
import { fitOptionsOf, flatOptions, type ResolvedConfig, resolveConfig, withDefaults } from "../runConfig.ts";
import { withTraces } from "../traceFiles.ts";

/** One run of the matrix. */
export interface MatrixRun {
  /** Names its directory. */
  readonly name: string;
  /** What it and its repeats differ in from others, "strategy=ddp nodes=4". */
  readonly label: string;
  readonly varied: Readonly<Record<string, string>>;
  readonly seed: number;
  /** Whether it is the first of its repeats. */
  readonly isFirst: boolean;
  /** The options given, as `npx atoll train` takes them. */
  readonly pairs: readonly string[];
  readonly config: ResolvedConfig;
  readonly fit: FitOptions;
}

/** Runs that differ in their network only and learn the same: one is trained, the others are repriced. */
export interface Training {
  readonly runs: readonly MatrixRun[];
}

export interface MatrixOptions {
  readonly experiment: Experiment;
  /** `key=value,value …` */
  readonly given: readonly string[];
  readonly repeats: number;
  readonly workingDirectory: string;
}

/** @throws ConfigError that names the option, and the cell if others can be; for options that contradict each other too */
export async function planMatrix(options: MatrixOptions): Promise<readonly MatrixRun[]> {
  const { experiment, given, repeats, workingDirectory } = options;
  const all = combinations(given);
  refuseUnusable(all);
  const cells = applicable(all);
  const runs: MatrixRun[] = [];
  const refusals: ConfigError[] = [];
  const names = new Set<string>();
  for (const cell of cells) {
    try {
      const tree = await withTraces(parseAssignments(cell.pairs), workingDirectory);
      for (let repeat = 0; repeat < repeats; repeat++) {
        const run = runOf(experiment, cell, tree, { repeat, repeats });
        checkFitOptions(run.fit);
        const name = freeName(run.name, names);
        names.add(name);
        runs.push({ ...run, name });
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      refusals.push(refusalOf(labelOf(cell), error));
    }
  }
  refuseFirst(refusals, cells.length);
  return runs;
}

/** That a cell cannot be, and which it is. */
export const refusalOf = (label: string, cause: ConfigError): ConfigError =>
  new ConfigError(`${label === "" ? "" : `${label}: `}${cause.message} Nothing has been run.`, cause);

/** What is refused in the same words in every cell does not lie in one of them. */
function refuseFirst(refusals: readonly ConfigError[], cells: number): void {
  const [first] = refusals;
  if (first === undefined) return;
  const reasons = new Set(refusals.map(({ cause }) => messageOf(cause)));
  throw refusals.length === cells && reasons.size === 1 ? (first.cause as ConfigError) : first;
}

function runOf(
  experiment: Experiment,
  combination: Combination,
  tree: ConfigTree,
  { repeat, repeats }: { readonly repeat: number; readonly repeats: number },
): MatrixRun {
  const first = resolveConfig(experiment, withDefaults(experiment, tree));
  const seed = first.run.seed + repeat;
  const config =
    repeat === 0 ? first : resolveConfig(experiment, withDefaults(experiment, { ...tree, seed }));
  const others = combination.pairs.filter((pair) => !pair.startsWith("seed="));
  return {
    name: slugOf(combination, repeats > 1 ? [`seed${seed}`] : []),
    label: labelOf(combination),
    varied: combination.varied,
    seed,
    isFirst: repeat === 0,
    pairs: [...others, `seed=${seed}`],
    config,
    fit: fitOptionsOf(config.run),
  };
}

const LONGEST_NAME = 80;

/** "ddp-wan-4-seed0". */
function slugOf({ varied }: Combination, more: readonly string[]): string {
  const words = [...Object.values(varied), ...more].map((value) =>
    value.replace(/[^\w.]+/g, "_").replace(/^[._]+/, ""),
  );
  return words.join("-").slice(0, LONGEST_NAME) || "run";
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if (!taken.has(name)) return name;
  }
}

/** Choices whose options are told apart by what was chosen. */
const CHOICES = [
  { choice: "strategy", entries: strategyEntries },
  { choice: "optimizer", entries: optimizerEntries },
] as const;

/**
 * `strategy=ddp,diloco strategy.H=10,50`: H goes to those that have it, so DDP is run once. An option that none of those
 * named has stays, to be refused, and so does one that is given for this combination.
 */
function applicable(all: readonly Combination[]): readonly Combination[] {
  const kept = new Map<string, Combination>();
  for (const { pairs, varied, conditional } of all) {
    const foreign = CHOICES.flatMap((choice) => foreignTo(choice, pairs, all));
    const dropped = new Set(foreign.filter((name) => !conditional.has(name)));
    const combination = {
      pairs: pairs.filter((pair) => !dropped.has(nameOf(pair))),
      varied: Object.fromEntries(Object.entries(varied).filter(([name]) => !dropped.has(name))),
      conditional,
    };
    const key = combination.pairs.join(" ");
    if (!kept.has(key)) kept.set(key, combination);
  }
  return [...kept.values()];
}

const nameOf = (pair: string): string => pair.slice(0, pair.indexOf("="));

const chosenIn = (pairs: readonly string[], choice: string): string | undefined =>
  pairs.find((pair) => pair.startsWith(`${choice}=`))?.slice(choice.length + 1);

/** Options of a choice that another one of the matrix has, and this one has not. */
function foreignTo(
  { choice, entries }: (typeof CHOICES)[number],
  pairs: readonly string[],
  all: readonly Combination[],
): readonly string[] {
  const chosen = chosenIn(pairs, choice);
  const has = (kind: string | undefined, option: string): boolean => {
    const entry = entries.find(({ name }) => name === kind);
    return entry !== undefined && Object.hasOwn((entry.options as { readonly shape: object }).shape, option);
  };
  if (chosen === undefined || !entries.some(({ name }) => name === chosen)) return [];
  return pairs.map(nameOf).filter((name) => {
    const [owner, option] = name.split(".");
    if (owner !== choice || option === undefined || has(chosen, option)) return false;
    return all.some((other) => has(chosenIn(other.pairs, choice), option));
  });
}

/** Which runs one training serves; those that cannot be repriced are each a training of their own. */
export function trainingsOf(runs: readonly MatrixRun[]): readonly Training[] {
  const groups = Map.groupBy(runs, (run) => (isRepriceable(run) ? trainingKey(run) : run.name));
  return [...groups.values()].map((group) => ({ runs: group }));
}

/** Where nodes do not wait for each other, or faults strike at moments, the network decides what is learned. */
export const isRepriceable = ({ fit }: MatrixRun): boolean =>
  !isAsynchronous(fit.strategy) && fit.faults === undefined;

/** All options but the network's, and the order in which all-reduces add up as far as the network decides it. */
function trainingKey({ config, fit: { network, allReduce } }: MatrixRun): string {
  const options = [...flatOptions(config.options)].filter(([path]) => !path.startsWith("network."));
  return JSON.stringify([options, orderOf(network, allReduce)]);
}

/** Algorithms that serve any group on any network. */
const UNCONDITIONAL: readonly FitOptions["allReduce"][] = ["ring", "tree", "star"];

function orderOf(network: FitOptions["network"], allReduce: FitOptions["allReduce"]): unknown {
  if (UNCONDITIONAL.includes(allReduce)) return null;
  if (allReduce === "auto") return network;
  const isStar = network?.topology === "star"; // What others fall back on is the topology's own.
  return allReduce === "hierarchical" ? [network?.topology, network?.islandSize] : isStar;
}

/** @throws ConfigError for options that a comparison has no use for */
function refuseUnusable(all: readonly Combination[]): void {
  const valuesOf = (name: string): readonly string[] => [
    ...new Set(all.flatMap(({ pairs }) => chosenIn(pairs, name) ?? [])),
  ];
  const [first, ...others] = valuesOf("seed");
  if (others.length > 0 || all.some(({ conditional }) => conditional.has("seed")))
    throw new ConfigError(
      `Option "seed": expected the first seed of all repeats, got ${[first, ...others].join(",")}. Write seed=${first} --repeat ${1 + others.length}.`,
    );
  const modes = valuesOf("mode");
  if (modes.includes("processes"))
    throw new ConfigError(
      `Option "mode": a comparison is of simulated runs, got mode=${modes.join(",")}. Leave it out; npx atoll validate runs an experiment both ways.`,
    );
}
