// The options that every run has, as schemas: for command lines, config files and the help. Strategies, optimizers,
// devices, profiles and topologies come from their packages' own lists.

import { ALL_REDUCE_CHOICES } from "@atoll/comm";
import type { ConfigTree } from "@atoll/core";
import { CONGESTIONS, PROFILE_NAMES, TCP_MODES, TOPOLOGY_NAMES } from "@atoll/network";
import { deviceProfiles, optimizerEntries, type StrategyEntry, strategyEntries } from "@atoll/train";
import { z } from "zod";
import { type ChoiceEntry, choice } from "./choice.ts";
import { faultOptions } from "./faultOptions.ts";
import { group } from "./group.ts";
import { record } from "./recordOption.ts";
import { trace } from "./traceOption.ts";
import { track } from "./trackOption.ts";

const range = z.union([z.number(), z.tuple([z.number(), z.number()])], {
  error: "expected a number or [low,high]",
});

/** Values of links instead of their profile's. */
const linkValues = {
  bandwidth: range.optional().describe("bytes per second, exact or [low,high], instead of the profile's"),
  latency: range.optional().describe("seconds one way, instead of the profile's"),
  jitter: range.optional().describe("spread of the latency as a fraction, instead of the profile's"),
  loss: range.optional().describe("probability that a packet is lost, instead of the profile's"),
  trace: trace
    .optional()
    .describe("bandwidth over time from a CSV file of seconds and bytes/s, such as trace=uplink.csv"),
};

const rank = z.int().min(0);
const exactLink = z.strictObject({
  from: rank,
  to: rank,
  oneWay: z.boolean().optional(),
  bandwidth: z.number().optional(),
  latency: z.number().optional(),
  jitter: z.number().optional(),
  loss: z.number().optional(),
  trace: trace.optional(),
});

const network = group("network.profile=wan", {
  profile: z
    .enum(PROFILE_NAMES)
    .default("local")
    .describe("what links are like; a range is drawn per link from the seed"),
  topology: z.enum(TOPOLOGY_NAMES).default("fully_connected").describe("which nodes share a link"),
  dimensions: z.array(z.int().min(1)).optional().describe("of a torus, such as [4,8]"),
  islandSize: z
    .int()
    .min(1)
    .optional()
    .describe("nodes of each of the topology's islands; half of all if left out"),
  between: group("network.between.profile=wan", {
    profile: z.enum(PROFILE_NAMES).optional().describe("links between islands; wan if left out"),
    ...linkValues,
  }).optional(),
  edges: z
    .array(z.tuple([rank, rank]))
    .optional()
    .describe("of a custom topology: pairs of nodes that share a link, such as [[0,1],[1,2]]"),
  ...linkValues,
  links: z
    .array(exactLink)
    .optional()
    .describe('links with values of their own, such as [{"from":0,"to":1,"bandwidth":1e6,"oneWay":true}]'),
  nic: z
    .union([
      z.number().positive(),
      z.strictObject({ up: z.number().positive(), down: z.number().positive() }),
    ])
    .optional()
    .describe("bytes per second of a node over all its links, each way; or nic.up and nic.down"),
  background: group("network.background.load=0.3", {
    load: z.number().min(0).max(0.99).describe("mean part of each link's direction"),
    interval: z.number().positive().optional().describe("seconds until it is drawn anew; 1 if left out"),
  })
    .optional()
    .describe("other people's traffic on every link"),
  tcp: z
    .enum(TCP_MODES)
    .default("cm02")
    .describe(
      "how TCP limits a transfer: not at all, by its window, SimGrid's LV08 factors, or drawn by rounds of the window",
    ),
  window: z
    .number()
    .positive()
    .optional()
    .describe("bytes that one flow has in flight at most; 4 MiB if left out"),
  congestion: z
    .enum(CONGESTIONS)
    .optional()
    .describe(
      "congestion control that limits a flow on a lossy path; none if left out, cubic with network.tcp=rounds",
    ),
  flows: z.int().min(1).default(1).describe("parallel connections between two nodes"),
  slowStart: z
    .boolean()
    .optional()
    .describe("whether connections open and their windows grow; with network.tcp=rounds always"),
  rttWeights: z
    .boolean()
    .default(false)
    .describe("whether flows share in proportion to 1 / round-trip time instead of equally"),
});

/** The network's options under their name, for commands that take no others. */
export const networkOptions = z.strictObject({ network });

/** A value that is typed as a number may be a device's name. */
export const deviceName: z.ZodType<string> = z.preprocess(
  (value) => (typeof value === "number" ? String(value) : value),
  z.enum(Object.keys(deviceProfiles)),
);

/** How nodes differ, under every compute model. */
const nodeSpeeds = {
  speeds: z
    .array(z.number().positive())
    .optional()
    .describe("speed of each node relative to the model's, such as [1,1,0.5] for 3 nodes"),
  heterogeneity: z
    .number()
    .min(0)
    .default(0)
    .describe("coefficient of variation of the nodes' speeds, drawn once from the seed"),
};

const compute = choice(
  [
    {
      name: "device",
      summary: "FLOPs of the traced step over a device's sustained rate",
      options: z.strictObject({
        device: deviceName.default("laptop").describe("device profile"),
        devices: z.array(deviceName).optional().describe('each node\'s own instead, such as ["h100","a100"]'),
        utilization: z
          .number()
          .gt(0)
          .max(1)
          .default(0.3)
          .describe("part of the device's peak that training reaches"),
        variability: z.number().min(0).default(0.05).describe("coefficient of variation of a step's time"),
        ...nodeSpeeds,
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
        ...nodeSpeeds,
      }),
    },
    {
      name: "real",
      summary: "the time that they take, with mode=processes, whose default it is; slower nodes wait",
      options: z.strictObject({ ...nodeSpeeds }),
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

/** Says in the help which optimizer a strategy has where none is named. */
const withOptimizer = ({ name, summary, options, optimizer }: StrategyEntry): ChoiceEntry => ({
  name,
  options,
  summary: optimizer === undefined ? summary : `${summary}; by default with ${optimizerText(optimizer)}`,
});

const optimizerText = ({ kind, ...values }: ConfigTree): string =>
  [
    `optimizer=${String(kind)}`,
    ...Object.entries(values).map(([name, value]) => `optimizer.${name}=${String(value)}`),
  ].join(" ");

/** Each worker reserves address space of its own: thousands of them cannot start. */
const MAX_WORKERS = 256;

/** What the nodes of a run are. */
export const MODES = ["simulated", "processes"] as const;

/** Who makes the network's conditions felt by processes. */
export const SHAPINGS = ["auto", "tc", "user", "off"] as const;

/** Options that every experiment has. */
export const runOptions = z.strictObject({
  nodes: z.int().min(1).default(1).describe("simulated machines, or processes"),
  mode: z
    .enum(MODES)
    .default("simulated")
    .describe("simulated machines on a virtual clock, or a process for each node, in real time"),
  maxSteps: z.int().min(1).optional().describe("steps of every node"),
  numEpochs: z.int().min(1).optional().describe("passes over the data instead of maxSteps"),
  batchSize: z.int().min(1).default(64).describe("examples of one step of one node"),
  globalBatchSize: z
    .int()
    .min(1)
    .optional()
    .describe("examples of one step of all nodes together, instead of batchSize"),
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
  strategy: choice(strategyEntries.map(withOptimizer), "ddp").describe("when nodes talk, and what they say"),
  optimizer: choice(optimizerEntries, "adamw").describe(
    "the optimizer of the local steps; some strategies have another default",
  ),
  network: network.prefault({}).describe("the simulated network"),
  allReduce: z
    .enum(ALL_REDUCE_CHOICES)
    .default("topology")
    .describe("algorithm of all-reduces; topology: by the hub of a star, else by ring; auto: the fastest"),
  compute: compute.describe("how long a step takes on the virtual clock"),
  faults: faultOptions.optional().describe("what goes wrong on the simulated machines; nothing if left out"),
  shaping: z
    .enum(SHAPINGS)
    .default("auto")
    .describe(
      "with mode=processes: who makes the network's conditions felt; tc: the kernel, where ranks are in containers or network namespaces; user: each process holds back what it sends; auto: if conditions are given, tc if all ranks can, else user",
    ),
  timeout: z
    .number()
    .positive()
    .default(10)
    .describe("with mode=processes: seconds after which a node of which nothing is heard is lost"),
  restarts: z
    .int()
    .min(0)
    .default(0)
    .describe(
      "with mode=processes: how often a node that is lost is started again, to go on with another's state where the others wait for it or have gone on",
    ),
  workers: z
    .int()
    .min(1)
    .max(MAX_WORKERS)
    .optional()
    .describe("threads that compute; one a core by default; changes no result"),
  record: record.describe(
    "what is recorded beside losses: a list of correlation, gradientNorm, outerCosine, compressionError; record.interval=10 for every ten steps; changes no result",
  ),
  track: track.describe(
    "where else metrics go, besides the run's directory: a list, such as track=tensorboard,wandb; changes no result",
  ),
});

export type RunConfig = z.output<typeof runOptions>;
