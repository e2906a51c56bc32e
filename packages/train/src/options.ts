// The options of a run as a library user gives them, their defaults, and the checks that need no work done.

import { ALL_REDUCE_CHOICES, type AllReduceChoice } from "@atoll/comm";
import { ConfigError, type EventSink, unknownName } from "@atoll/core";
import type { NetworkOptions } from "@atoll/network";
import { type ComputeOptions, checkCompute, defaultCompute } from "./compute.ts";
import type { Partition } from "./data/index.ts";
import type { FaultyRunOptions } from "./faults/policy.ts";
import { planRecord, type RecordOptions, type RecordPlan } from "./record/options.ts";
import type { RunSnapshot } from "./snapshot.ts";
import type { Strategy } from "./strategies/index.ts";

/** Keeps snapshots of a run, for example as files. */
export interface CheckpointStore {
  /** Saves a snapshot before returning, since its vectors are live; returns where it is, for people. */
  save(snapshot: RunSnapshot): Promise<string>;
}

export interface FitOptions {
  readonly strategy: Strategy;
  /** Number of simulated machines. Default 1. */
  readonly nodes?: number;
  /** Steps of every node. Give either this or numEpochs. */
  readonly maxSteps?: number;
  /** Passes over the training data, counted over all nodes together. */
  readonly numEpochs?: number;
  /** Examples of one step of one node. Default 64. */
  readonly batchSize?: number;
  /** Examples of one forward and backward pass; gradients are accumulated to batchSize. Default batchSize. */
  readonly minibatchSize?: number;
  /** Seed of everything random in the run. Default 0. */
  readonly seed?: number;
  /** Validation examples used at each evaluation; 0 for no evaluation on the way. Default 1024. */
  readonly valSize?: number;
  /** Steps between two evaluations. Default 100. */
  readonly valInterval?: number;
  /** Whether each epoch draws a new order of examples. Default true. */
  readonly shuffle?: boolean;
  /** Steps between two checkpoints; 0 for none but that of an interrupt. Default 0. */
  readonly checkpointInterval?: number;
  /** How training data is spread over nodes; ignored by a factory, which brings each node's own. Default contiguous. */
  readonly partition?: Partition;
  /** Default: every two nodes share a link of profile "local". */
  readonly network?: NetworkOptions;
  /**
   * The algorithm of every all-reduce for which the strategy names none and has no codec. "auto" takes the one that is
   * estimated to be the fastest for its size. One that cannot serve a group is replaced, and an event says so. Default
   * "topology": through the hub of a star, around a ring elsewhere.
   */
  readonly allReduce?: AllReduceChoice;
  readonly compute?: ComputeOptions;
  /** What goes wrong, and what the nodes do about it. Default: nothing does. */
  readonly faults?: FaultyRunOptions;
  /** What is recorded beside losses; it changes no result. Default: nothing. */
  readonly record?: RecordOptions;
  /** The run's name in events. */
  readonly name?: string;
  readonly emit?: EventSink;
  readonly checkpoints?: CheckpointStore;
  /** A snapshot of the same run, to go on from. */
  readonly resume?: RunSnapshot;
  /** Ends the run at the next step where all nodes can stop, with a checkpoint if there is a store. */
  readonly signal?: AbortSignal;
}

/** Options with every default filled in; maxSteps stays open until the data's size is known. */
export interface ResolvedFitOptions {
  readonly strategy: Strategy;
  readonly nodes: number;
  readonly steps:
    | { readonly kind: "maxSteps"; readonly count: number }
    | { readonly kind: "epochs"; readonly count: number };
  readonly batchSize: number;
  readonly minibatchSize: number;
  readonly seed: number;
  readonly valSize: number;
  readonly valInterval: number;
  readonly shuffle: boolean;
  readonly checkpointInterval: number;
  readonly partition: Partition;
  readonly network: NetworkOptions;
  readonly allReduce: AllReduceChoice;
  readonly compute: ComputeOptions;
  readonly faults: FaultyRunOptions | undefined;
  readonly record: RecordPlan | undefined;
  readonly name: string;
  readonly emit: EventSink;
  readonly checkpoints: CheckpointStore | undefined;
  readonly resume: RunSnapshot | undefined;
  readonly signal: AbortSignal | undefined;
}

const KNOWN: Readonly<Record<keyof FitOptions, true>> = {
  strategy: true,
  nodes: true,
  maxSteps: true,
  numEpochs: true,
  batchSize: true,
  minibatchSize: true,
  seed: true,
  valSize: true,
  valInterval: true,
  shuffle: true,
  checkpointInterval: true,
  partition: true,
  network: true,
  allReduce: true,
  compute: true,
  faults: true,
  record: true,
  name: true,
  emit: true,
  checkpoints: true,
  resume: true,
  signal: true,
};

const KNOWN_OF_NETWORK: Readonly<Record<keyof NetworkOptions, true>> = {
  profile: true,
  topology: true,
  bandwidth: true,
  latency: true,
  jitter: true,
  loss: true,
  between: true,
  links: true,
  dimensions: true,
  islandSize: true,
  edges: true,
  nic: true,
  trace: true,
  background: true,
  tcp: true,
  window: true,
  congestion: true,
  flows: true,
  slowStart: true,
  rttWeights: true,
};

const KNOWN_OF_FAULTS: Readonly<Record<keyof FaultyRunOptions, true>> = {
  schedule: true,
  churn: true,
  disconnects: true,
  partitions: true,
  stragglers: true,
  whenMissing: true,
  recovery: true,
};

/** The options of each kind of compute model. */
const KNOWN_OF_COMPUTE: Readonly<Record<ComputeOptions["kind"], readonly string[]>> = {
  device: ["device", "devices", "utilization", "variability", "speeds", "heterogeneity"],
  measured: ["durations", "speeds", "heterogeneity"],
  real: ["speeds", "heterogeneity"],
};

/** The options of each kind of partition. */
const KNOWN_OF_PARTITION: Readonly<Record<Partition["kind"], readonly string[]>> = {
  contiguous: [],
  shuffled: [],
  dirichlet: ["alpha"],
  labelShards: ["shardsPerNode"],
};

/** The types say so too, but not to JavaScript, nor of an object that is spread. */
function refuseUnknown({ compute, partition, ...given }: FitOptions): void {
  refuseOthers("option", given, Object.keys(KNOWN));
  refuseOthers("option of network", given.network ?? {}, Object.keys(KNOWN_OF_NETWORK));
  refuseOthers("option of faults", given.faults ?? {}, Object.keys(KNOWN_OF_FAULTS));
  if (compute !== undefined) refuseOthersOfKind("compute", compute, KNOWN_OF_COMPUTE);
  if (partition !== undefined) refuseOthersOfKind("partition", partition, KNOWN_OF_PARTITION);
}

function refuseOthersOfKind<K extends string>(
  name: string,
  choice: { readonly kind: K },
  known: Readonly<Record<K, readonly string[]>>,
): void {
  if (!Object.hasOwn(known, choice.kind))
    throw unknownName(`kind of ${name}`, String(choice.kind), Object.keys(known));
  refuseOthers(`option of ${name}`, choice, ["kind", ...known[choice.kind]]);
}

function refuseOthers(what: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw unknownName(what, unknown, known);
}

/** @throws ConfigError for an unknown option, a number out of range, or options that exclude each other. */
export function resolveFitOptions(given: FitOptions): ResolvedFitOptions {
  refuseUnknown(given);
  const batchSize = atLeast("batchSize", given.batchSize ?? 64, 1);
  const minibatchSize = atLeast("minibatchSize", given.minibatchSize ?? batchSize, 1);
  if (batchSize % minibatchSize !== 0)
    throw new ConfigError(
      `Option "minibatchSize": expected a divisor of batchSize (${batchSize}), got ${minibatchSize}. Gradients of whole minibatches are added up to one batch.`,
    );
  const nodes = atLeast("nodes", given.nodes ?? 1, 1);
  if (given.strategy === undefined)
    throw new ConfigError('Option "strategy": expected a strategy, such as ddp(), got nothing.');
  given.strategy.validate(nodes);
  const { compute = defaultCompute, strategy } = given;
  checkCompute(compute, nodes);
  const valInterval = atLeast("valInterval", given.valInterval ?? 100, 1);
  return {
    strategy,
    nodes,
    steps: stepsOf(given),
    batchSize,
    minibatchSize,
    seed: atLeast("seed", given.seed ?? 0, 0),
    valSize: atLeast("valSize", given.valSize ?? 1024, 0),
    valInterval,
    shuffle: given.shuffle ?? true,
    checkpointInterval: atLeast("checkpointInterval", given.checkpointInterval ?? 0, 0),
    partition: given.partition ?? { kind: "contiguous" },
    network: given.network ?? {},
    allReduce: known("allReduce", given.allReduce ?? "topology", ALL_REDUCE_CHOICES),
    compute,
    faults: given.faults,
    record: given.record && planRecord(given.record, { strategy, nodes, valInterval }),
    name: given.name ?? "run",
    emit: given.emit ?? (() => {}),
    checkpoints: given.checkpoints,
    resume: given.resume,
    signal: given.signal,
  };
}

function stepsOf({ maxSteps, numEpochs }: FitOptions): ResolvedFitOptions["steps"] {
  if (maxSteps !== undefined && numEpochs !== undefined)
    throw new ConfigError(
      `Options "maxSteps" (${maxSteps}) and "numEpochs" (${numEpochs}): give one of them, not both.`,
    );
  if (maxSteps !== undefined) return { kind: "maxSteps", count: atLeast("maxSteps", maxSteps, 1) };
  return { kind: "epochs", count: atLeast("numEpochs", numEpochs ?? 1, 1) };
}

function known<T extends string>(name: string, value: T, choices: readonly T[]): T {
  if (!choices.includes(value)) throw unknownName(`choice of ${name}`, String(value), choices);
  return value;
}

function atLeast(name: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least)
    throw new ConfigError(`Option "${name}": expected an integer of at least ${least}, got ${value}.`);
  return value;
}
