// The options of a run as text gives them: one schema for command lines and config files, and the objects they stand
// for. Strategies, optimizers, devices, profiles and topologies come from their packages' own lists.

import { ConfigError, type ConfigTree, type ConfigValue } from "@atoll/core";
import { parseConfig } from "@atoll/core/config";
import { PROFILE_NAMES, TCP_MODES, TOPOLOGY_NAMES } from "@atoll/network";
import {
  createOptimizer,
  deviceProfiles,
  type Experiment,
  type FitOptions,
  type OptimizerConfig,
  optimizerEntries,
  strategyEntries,
} from "@atoll/train";
import { z } from "zod";

interface ChoiceEntry {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodType;
}

/** A choice with options of its own: `strategy=diloco strategy.H=50`, just its name, or options of the usual one. */
function choice(entries: readonly ChoiceEntry[], usual: string): z.ZodType {
  const branches = entries.map(({ name, summary, options }) =>
    (options as z.ZodObject).extend({ kind: z.literal(name) }).describe(summary),
  );
  const named = (value: unknown): unknown => {
    if (typeof value === "string") return { kind: value };
    return typeof value === "object" && value !== null ? { kind: usual, ...value } : value;
  };
  const union = z.discriminatedUnion(
    "kind",
    branches as unknown as [z.ZodObject<{ kind: z.ZodLiteral<string> }>],
  );
  return z.preprocess(named, union).prefault(usual);
}

const range = z.union([z.number(), z.tuple([z.number(), z.number()])]);

const network = z.strictObject({
  profile: z
    .enum(PROFILE_NAMES)
    .default("local")
    .describe("what links are like; a range is drawn per link from the seed"),
  topology: z.enum(TOPOLOGY_NAMES).default("fully_connected").describe("which nodes share a link"),
  bandwidth: range.optional().describe("bytes per second, exact or [low,high], instead of the profile's"),
  latency: range.optional().describe("seconds one way, instead of the profile's"),
  jitter: range.optional().describe("spread of the latency as a fraction, instead of the profile's"),
  loss: range.optional().describe("probability that a packet is lost, instead of the profile's"),
  nic: z
    .number()
    .positive()
    .optional()
    .describe("bytes per second that a node can send, and receive, over all its links"),
  tcp: z
    .enum(TCP_MODES)
    .default("cm02")
    .describe("how TCP limits a transfer: not at all, by its window, or SimGrid's LV08 factors"),
  window: z
    .number()
    .positive()
    .optional()
    .describe("bytes that one flow has in flight at most; 4 MiB if left out"),
});

const compute = choice(
  [
    {
      name: "device",
      summary: "FLOPs of the traced step over a device's sustained rate",
      options: z.strictObject({
        device: z.enum(Object.keys(deviceProfiles)).default("laptop").describe("device profile"),
        utilization: z
          .number()
          .gt(0)
          .max(1)
          .default(0.3)
          .describe("part of the device's peak that training reaches"),
        variability: z.number().min(0).default(0.05).describe("coefficient of variation of a step's time"),
      }),
    },
    {
      name: "measured",
      summary: "steps measured on this machine before the run, and recorded for replays",
      options: z.strictObject({
        durations: z
          .array(z.number().positive())
          .min(1)
          .optional()
          .describe("recorded step durations in seconds"),
      }),
    },
  ],
  "device",
);

const partition = choice(
  [
    { name: "contiguous", summary: "ranges in the data's own order", options: z.strictObject({}) },
    { name: "shuffled", summary: "ranges of a random order", options: z.strictObject({}) },
    {
      name: "dirichlet",
      summary: "label skew: each node's mix of classes from Dirichlet(alpha)",
      options: z.strictObject({
        alpha: z.number().positive().default(0.5).describe("smaller is more skewed"),
      }),
    },
    {
      name: "labelShards",
      summary: "sorted by label, cut into shards, dealt out",
      options: z.strictObject({ shardsPerNode: z.int().min(1).default(2).describe("shards each node gets") }),
    },
  ],
  "contiguous",
);

/** Options that every experiment has. */
export const runOptions = z.strictObject({
  nodes: z.int().min(1).default(1).describe("simulated machines"),
  maxSteps: z.int().min(1).optional().describe("steps of every node"),
  numEpochs: z.int().min(1).optional().describe("passes over the data instead of maxSteps"),
  batchSize: z.int().min(1).default(64).describe("examples of one step of one node"),
  minibatchSize: z
    .int()
    .min(1)
    .optional()
    .describe("examples of one pass; gradients are accumulated to batchSize"),
  seed: z.int().min(0).default(0).describe("seed of everything random"),
  valSize: z.int().min(0).default(1024).describe("examples of an evaluation on the way; 0 for none"),
  valInterval: z.int().min(1).default(100).describe("steps between two evaluations"),
  checkpointInterval: z.int().min(0).default(0).describe("steps between two checkpoints; 0 for none"),
  shuffle: z.boolean().default(true).describe("draw a new order of examples every epoch"),
  partition: partition.describe("how the data is spread over the nodes"),
  strategy: choice(strategyEntries, "ddp").describe("when nodes talk, and what they say"),
  optimizer: choice(optimizerEntries, "adamw").describe("the optimizer of the local steps"),
  network: network.prefault({}).describe("the simulated network"),
  compute: compute.describe("how long a step takes on the virtual clock"),
  workers: z
    .int()
    .min(1)
    .optional()
    .describe("threads that compute; one a core by default; changes no result"),
});

export type RunConfig = z.output<typeof runOptions>;

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

/** @throws ConfigError that names the option. */
export function resolveConfig(experiment: Experiment, given: ConfigTree): ResolvedConfig {
  const options = parseConfig(schemaOf(experiment), given) as Record<string, unknown>;
  const names = new Set(Object.keys(experiment.options.shape));
  const pick = (own: boolean): Record<string, unknown> =>
    Object.fromEntries(Object.entries(options).filter(([name]) => names.has(name) === own));
  return { options: options as ConfigTree, run: pick(false) as RunConfig, own: pick(true) };
}

/** The options of LocalTrainer.fit that a config states. */
export function fitOptionsOf(run: RunConfig): FitOptions {
  const { strategy, optimizer, maxSteps, numEpochs, minibatchSize, workers: _, ...rest } = run;
  const { kind, ...options } = strategy as { kind: string };
  const entry = strategyEntries.find(({ name }) => name === kind)!;
  return {
    ...(rest as Omit<FitOptions, "strategy">),
    strategy: entry.create(options, createOptimizer(optimizer as OptimizerConfig, maxSteps)),
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...(numEpochs === undefined ? {} : { numEpochs }),
    ...(minibatchSize === undefined ? {} : { minibatchSize }),
  };
}

/** A resumed run takes its options from its config.json. @throws ConfigError that names the first option that differs. */
export function refuseChanges(saved: ConfigTree, given: ConfigTree): void {
  const before = flat(saved);
  const after = flat(given);
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    if (before.get(path) === after.get(path)) continue;
    throw new ConfigError(
      `Option "${path}" of the run to resume is ${before.get(path) ?? "not set"}, got ${after.get(path) ?? "nothing"}. A resumed run keeps its options; start a new run to change them.`,
    );
  }
}

/** Options by dotted path, values as JSON. `workers` is left out: it changes no result. */
function flat(tree: ConfigTree, prefix = ""): Map<string, string> {
  const rows = new Map<string, string>();
  for (const [name, value] of Object.entries(tree as Record<string, ConfigValue>)) {
    const path = prefix + name;
    if (path === "workers") continue;
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      for (const [inner, text] of flat(value as ConfigTree, `${path}.`)) rows.set(inner, text);
    else rows.set(path, JSON.stringify(value));
  }
  return rows;
}
