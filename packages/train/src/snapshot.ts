// A run at a moment when no node is in the middle of anything: all that is needed to go on from there.
// Random numbers need no state of their own: every draw is named by (seed, rank, step) or counted by the network.

import { type ConfigValue, invariant, type Seconds } from "@atoll/core";
import type { HostTensor, VectorLayout } from "@atoll/tensor";
import type { SamplerPosition } from "./data/index.ts";
import type { Replica } from "./replica.ts";
import type { StrategyState } from "./strategies/index.ts";

/** A node's numbers, as JSON. */
export interface NodeState {
  /** The node's own clock, in simulated seconds. */
  readonly time: number;
  readonly computeSeconds: number;
  readonly sampler: SamplerPosition;
  /** What the strategy remembers beside its vectors. */
  readonly strategy: Readonly<Record<string, number>>;
}

export interface NodeSnapshot {
  readonly state: NodeState;
  /**
   * `parameters.<path>` and `buffers.<path>` in their shapes, `optimizer.<slot>` and `strategy.<name>` as flat vectors.
   * When saving these are views of the live vectors: write them out before the run goes on.
   */
  tensors(): Readonly<Record<string, HostTensor>>;
}

export interface RunSnapshot {
  readonly step: number;
  readonly nodes: readonly NodeSnapshot[];
  /** Counters of the simulated world: draws per link, bytes sent, time split. */
  readonly world: ConfigValue;
}

/** The parts of a node that a snapshot is made of, and restored into. */
export interface NodeParts {
  readonly replica: Replica;
  readonly layout: VectorLayout;
  readonly bufferLayout: VectorLayout;
  readonly strategyState: StrategyState;
}

export interface NodeProgress {
  readonly time: Seconds;
  readonly computeSeconds: number;
  readonly sampler: SamplerPosition;
}

export function snapshotNode(parts: NodeParts, progress: NodeProgress): NodeSnapshot {
  return {
    state: { ...progress, strategy: { ...parts.strategyState.values } },
    tensors: () =>
      Object.fromEntries([...vectorsOf(parts)].map(({ name, shape, data }) => [name, { shape, data }])),
  };
}

/** Writes a snapshot's vectors and numbers into a node that was made anew for the same run. */
export function restoreNode(parts: NodeParts, snapshot: NodeSnapshot): void {
  const saved = snapshot.tensors();
  for (const { name, data } of vectorsOf(parts)) {
    const tensor = saved[name];
    invariant(tensor?.data.length === data.length, `a checkpoint of the same run holds "${name}"`);
    data.set(tensor.data);
  }
  Object.assign(parts.strategyState.values, snapshot.state.strategy);
}

interface NamedVector {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** All vectors of a node, by the names that checkpoints have for them. */
function* vectorsOf({ replica, layout, bufferLayout, strategyState }: NodeParts): Generator<NamedVector> {
  const { parameters, buffers, slots } = replica;
  yield* shaped("parameters", parameters, layout);
  yield* shaped("buffers", buffers, bufferLayout);
  yield* flat("optimizer", slots);
  yield* flat("strategy", strategyState.tensors);
}

function* shaped(prefix: string, vector: Float32Array, { entries }: VectorLayout): Generator<NamedVector> {
  for (const { path, shape, offset, size } of entries)
    yield { name: `${prefix}.${path}`, shape, data: vector.subarray(offset, offset + size) };
}

function* flat(prefix: string, vectors: Readonly<Record<string, Float32Array>>): Generator<NamedVector> {
  for (const [name, data] of Object.entries(vectors))
    yield { name: `${prefix}.${name}`, shape: [data.length], data };
}
