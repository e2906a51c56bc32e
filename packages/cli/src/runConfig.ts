// A run's options, from text to the objects they stand for: a config is resolved against the experiment's schema and the
// run's, and becomes what LocalTrainer.fit takes.

import { ConfigError, type ConfigTree, type ConfigValue } from "@atoll/core";
import { mergeConfig, parseConfig } from "@atoll/core/config";
import {
  createOptimizer,
  type Experiment,
  type FitOptions,
  type OptimizerConfig,
  refuseSimulatedOnly,
  strategyEntries,
} from "@atoll/train";
import { z } from "zod";
import { refuseForeign } from "./choice.ts";
import { faultyRunOf } from "./faultOptions.ts";
import { type RunConfig, runOptions } from "./runOptions.ts";

/** The schema of one experiment's runs: the run's options and the experiment's own. */
export function schemaOf(experiment: Experiment): z.ZodObject {
  return z.strictObject({ ...experiment.options.shape, ...runOptions.shape });
}

export interface ResolvedConfig {
  /** All options with their defaults, as they go into config.json. */
  readonly options: ConfigTree;
  readonly run: RunConfig;
  /** The experiment's own options. */
  readonly own: Record<string, unknown>;
}

/** Options that are two ways to say one thing: one that is given goes before the other's default. */
const ALTERNATIVES = [
  ["maxSteps", "numEpochs"],
  ["batchSize", "globalBatchSize"],
] as const;

/**
 * An experiment's defaults under what was given. Where no optimizer is named, one that the strategy brings goes before the
 * experiment's. Steps of processes take the time that they take.
 */
export function withDefaults({ defaults = {} }: Experiment, given: ConfigTree): ConfigTree {
  const said = ALTERNATIVES.filter((names) => names.some((name) => given[name] !== undefined)).flat();
  const base = Object.fromEntries(
    Object.entries(defaults).filter(([name]) => !said.some((other) => other === name)),
  );
  const strategy = nameOf(mergeConfig(base, given).strategy);
  const optimizer = strategyEntries.find(({ name }) => name === strategy)?.optimizer;
  const brought = optimizer === undefined || nameOf(given.optimizer) !== undefined ? {} : { optimizer };
  const measured = given.mode === "processes" ? { compute: "real" } : {};
  return mergeConfig({ ...base, ...brought, ...measured }, given);
}

/** What a choice is, if that is said: as plain text or as its `kind`. */
const nameOf = (choice: ConfigValue | undefined): ConfigValue | undefined =>
  typeof choice === "object" && choice !== null ? (choice as ConfigTree).kind : choice;

/** @throws ConfigError that names the option. */
export function resolveConfig(experiment: Experiment, given: ConfigTree): ResolvedConfig {
  refuseForeign(runOptions, given);
  const parsed = parseConfig(schemaOf(experiment), given) as Record<string, unknown>;
  const options: Record<string, unknown> = { ...parsed, ...batchSizeOf(parsed as RunConfig, given) };
  const names = new Set(Object.keys(experiment.options.shape));
  const pick = (own: boolean): Record<string, unknown> =>
    Object.fromEntries(Object.entries(options).filter(([name]) => names.has(name) === own));
  const run = pick(false) as RunConfig;
  if (run.mode === "processes") refuseSimulatedOnly(fitOptionsOf(run));
  return { options: options as ConfigTree, run, own: pick(true) };
}

/** Of a batch of all nodes, each one's part. */
function batchSizeOf(
  { globalBatchSize, nodes }: RunConfig,
  { batchSize }: ConfigTree,
): { readonly batchSize?: number } {
  if (globalBatchSize === undefined) return {};
  const own = globalBatchSize / nodes;
  if (!Number.isInteger(own))
    throw new ConfigError(
      `Option "globalBatchSize": expected a multiple of the ${nodes} nodes, got ${globalBatchSize}.`,
    );
  if (batchSize !== undefined && batchSize !== own)
    throw new ConfigError(
      `Options "batchSize" (${JSON.stringify(batchSize)}) and "globalBatchSize" (${globalBatchSize}, so ${own} on each node): give one of them.`,
    );
  return { batchSize: own };
}

/** The options of LocalTrainer.fit that a config states. */
export function fitOptionsOf(run: RunConfig): FitOptions {
  const { strategy, optimizer, maxSteps, numEpochs, minibatchSize, faults, record, ...others } = run;
  const { globalBatchSize: _, workers: __, track: ___, mode: ____, ...processes } = others;
  const { timeout: _____, shaping: ______, restarts: _______, ...rest } = processes;
  const { kind, ...options } = strategy as { kind: string };
  const entry = strategyEntries.find(({ name }) => name === kind)!;
  return {
    ...(rest as Omit<FitOptions, "strategy">),
    strategy: entry.create(options, createOptimizer(optimizer as OptimizerConfig, maxSteps)),
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...(numEpochs === undefined ? {} : { numEpochs }),
    ...(faults === undefined ? {} : { faults: faultyRunOf(faults) }),
    ...(record === undefined ? {} : { record }),
    ...(minibatchSize === undefined ? {} : { minibatchSize }),
  };
}

const LONGEST_SHOWN = 120;

/** A resumed run takes its options from its config.json. @throws ConfigError that names the first option that differs. */
export function refuseChanges(saved: ConfigTree, given: ConfigTree): void {
  const before = flatOptions(saved);
  const after = flatOptions(given);
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    if (before.get(path) === after.get(path)) continue;
    const was = shortened(before.get(path) ?? "not set");
    throw new ConfigError(
      `Option "${path}" of the run to resume is ${was}, got ${shortened(after.get(path) ?? "nothing")}. A resumed run keeps its options; start a new run to change them.`,
    );
  }
}

/** A trace has thousands of points. */
const shortened = (value: string): string =>
  value.length <= LONGEST_SHOWN ? value : `${value.slice(0, LONGEST_SHOWN)}… (${value.length} characters)`;

/** What changes no result: who computes, who is told, what nodes are, and how long they and their links take. */
const FREE = new Set(["workers", "track", "mode", "timeout", "shaping", "restarts"]);

/** Options by dotted path, values as JSON, but for those that change no result. */
export function flatOptions(tree: ConfigTree, prefix = ""): Map<string, string> {
  const rows = new Map<string, string>();
  for (const [name, value] of Object.entries(tree as Record<string, ConfigValue>)) {
    const path = prefix + name;
    if (FREE.has(path)) continue;
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      for (const [inner, text] of flatOptions(value as ConfigTree, `${path}.`)) rows.set(inner, text);
    else rows.set(path, JSON.stringify(value));
  }
  return rows;
}
