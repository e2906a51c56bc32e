// Everything of a run that is settled before its first step: shares of the data, initial weights, how many steps.
// Bad input is refused here, before a worker is started or a byte is written.

import { ConfigError, type Random } from "@atoll/core";
import { resolveNetwork } from "@atoll/network";
import { type HostTensor, layoutOf, type Tree, type VectorLayout } from "@atoll/tensor";
import {
  createSampler,
  type DataSource,
  type Dataset,
  type DatasetFactory,
  exampleShape,
  partition,
  partitionByFactory,
  type Sampler,
  type Subset,
  whole,
} from "./data/index.ts";
import type { StepBatch } from "./executor.ts";
import { planFaults, scheduleFaults } from "./faults/policy.ts";
import type { Model } from "./models/index.ts";
import type { ResolvedFitOptions } from "./options.ts";
import type { NodeSnapshot } from "./snapshot.ts";

/** One node's part of the training data. */
export interface NodeData {
  /** Index into the run's sources. */
  readonly source: number;
  /** Part of all examples. */
  readonly share: number;
  readonly sampler: Sampler;
}

export interface PreparedRun {
  readonly maxSteps: number;
  readonly sources: readonly DataSource[];
  readonly nodes: readonly NodeData[];
  /** The training data by name, and how many examples there are on all nodes together. */
  readonly data: { readonly name: string; readonly examples: number };
  /** One step's batch of node 0's data, to try a step on; no sampler counts it. */
  readonly trial: StepBatch;
  readonly initial: { readonly parameters: Tree<HostTensor>; readonly buffers: Tree<HostTensor> };
  readonly layout: VectorLayout;
  readonly bufferLayout: VectorLayout;
}

/** @throws ConfigError if data, model, network, strategy and options do not fit together. */
export async function prepareRun(
  model: Model,
  train: Dataset | DatasetFactory,
  options: ResolvedFitOptions,
  random: Random,
): Promise<PreparedRun> {
  checkResume(options);
  checkSurroundings(options, random);
  const shares = await sharesOf(train, options, random);
  checkShapes(model, shares[0]!.dataset);
  const datasets = [...new Set(shares.map(({ dataset }) => dataset))];
  const total = shares.reduce((sum, { indices }) => sum + indices.length, 0);
  const { batchSize, shuffle, resume } = options;
  const nodes = shares.map(({ dataset, indices }, rank): NodeData => {
    const position = positionOf(resume?.nodes[rank]);
    const sampler = createSampler({ indices, batchSize, shuffle, random, rank, ...position });
    return { source: datasets.indexOf(dataset), share: indices.length / total, sampler };
  });
  const initial = model.init(random.derive("init"));
  const layout = layoutOf(initial.parameters);
  options.strategy.validateModel?.(layout);
  return {
    maxSteps: stepCount(options, total),
    sources: datasets.map(({ source }) => source),
    nodes,
    data: { name: [...new Set(datasets.map(({ name }) => name))].join(", "), examples: total },
    trial: { source: 0, indices: shares[0]!.indices.slice(0, batchSize), keys: new Uint32Array(2) },
    initial,
    layout,
    bufferLayout: layoutOf(initial.buffers),
  };
}

/**
 * The run makes its own network and faults later; these are made for their complaints, before a worker has started.
 * @throws ConfigError if they do not fit the nodes, the strategy or each other
 */
export function checkSurroundings(
  { network, nodes: worldSize, faults, strategy }: ResolvedFitOptions,
  random: Random,
): void {
  const { topology } = resolveNetwork(network, { worldSize, random: random.derive("network") });
  if (faults === undefined) return;
  const schedule = scheduleFaults(faults, { worldSize, random: random.derive("faults") });
  planFaults(faults, strategy, { schedule, topology });
}

const positionOf = (node: NodeSnapshot | undefined): { position?: NodeSnapshot["state"]["sampler"] } =>
  node === undefined ? {} : { position: node.state.sampler };

async function sharesOf(
  train: Dataset | DatasetFactory,
  { nodes, partition: scheme }: ResolvedFitOptions,
  random: Random,
): Promise<readonly Subset[]> {
  if (typeof train === "function") return partitionByFactory(train, nodes);
  return partition(whole(train), scheme, nodes, random);
}

/** An epoch is one pass over all data by all nodes together; nodes with a smaller share pass over theirs more often. */
function stepCount({ steps, nodes, batchSize }: ResolvedFitOptions, examples: number): number {
  if (steps.kind === "maxSteps") return steps.count;
  return Math.max(1, Math.floor((steps.count * examples) / (nodes * batchSize)));
}

function checkResume({ resume, nodes, steps }: ResolvedFitOptions): void {
  if (resume === undefined) return;
  if (resume.nodes.length !== nodes)
    throw new ConfigError(
      `The snapshot to resume from is of ${resume.nodes.length} nodes, but nodes is ${nodes}. Resume a run with the options it was started with.`,
    );
  if (steps.kind === "maxSteps" && resume.step > steps.count)
    throw new ConfigError(
      `The snapshot to resume from has done ${resume.step} steps, but maxSteps is ${steps.count}. Raise maxSteps.`,
    );
}

function checkShapes(model: Model, dataset: Dataset): void {
  const expected = model.example.x;
  const got = exampleShape(dataset.source).x;
  if (expected.dtype !== got.dtype || expected.shape.join() !== got.shape.join())
    throw new ConfigError(
      `Model "${model.name}" takes ${expected.dtype} examples of shape [${expected.shape}], but data set "${dataset.name}" has ${got.dtype} [${got.shape}]. Choose a model made for this data.`,
    );
}
