// A run at a moment when no node is in the middle of anything: all that is needed to go on from there.
// Random numbers need no state of their own: every draw is named by (seed, rank, step) or counted by the network.

import { ConfigError, type ConfigValue, type Rank, type Seconds } from "@atoll/core";
import type { HostTensor, VectorLayout } from "@atoll/tensor";
import type { SamplerPosition } from "./data/index.ts";
import type { MembershipSnapshot } from "./faults/membership.ts";
import type { NoticesSnapshot } from "./faults/notices.ts";
import type { RecorderState, StepReport } from "./recorder.ts";
import type { Replica } from "./replica.ts";
import type { StrategyState } from "./strategies/index.ts";

/** Where a node was when it began a round. */
export interface RoundBegun {
  readonly step: number;
  readonly sampler: SamplerPosition;
}

/** Where a resumed node goes on. */
export interface ResumedNode {
  readonly step: number;
  readonly computeSeconds: number;
  /** Set where nodes may be lost. */
  readonly begun?: RoundBegun | undefined;
}

/** A copy of what a node remembers: its replica's block and the strategy's vectors as `strategy.<name>`, and the strategy's values. */
export interface KeptMemory {
  readonly vectors: Readonly<Record<string, Float32Array>>;
  readonly values: Readonly<Record<string, number>>;
}

/** A node's numbers, as JSON. */
export interface NodeState {
  /** The node's own clock, in simulated seconds. */
  readonly time: number;
  readonly computeSeconds: number;
  readonly sampler: SamplerPosition;
  /** What the strategy remembers beside its vectors. */
  readonly strategy: Readonly<Record<string, number>>;
  /** In a run that meets faults: where the node was when it began the round that it is in. */
  readonly begun?: BegunState;
  /** Under an asynchronous strategy: the steps that the node has done beyond those that all have done; left out if none. */
  readonly ahead?: readonly StepAhead[];
}

export interface BegunState extends RoundBegun {
  /** What the strategy remembered beside its vectors, if what the node had then is kept and no longer what it has. */
  readonly strategy?: Readonly<Record<string, number>>;
}

/** A step's report; what is no number in it is null, as JSON has it. */
export type StepAhead = Omit<StepReport, "loss" | "gradientNorm"> & {
  readonly loss: number | null;
  readonly gradientNorm?: number | null;
};

export interface NodeSnapshot {
  readonly state: NodeState;
  /**
   * `parameters.<path>` and `buffers.<path>` in their shapes, `optimizer.<slot>`, `strategy.<name>`, in a run that
   * records `record.<name>`, and what is kept of a round's begin as `begun.<name>`, as flat vectors.
   * When saving these are views of the live vectors: write them out before the run goes on.
   */
  tensors(): Readonly<Record<string, HostTensor>>;
}

export interface RunSnapshot {
  /** Steps that all nodes have done. */
  readonly step: number;
  readonly nodes: readonly NodeSnapshot[];
  /** Counters of the simulated world: draws per link, bytes sent, time split. */
  readonly world: ConfigValue;
  /** Measured step durations in seconds, which the rest of the run draws from too; null under a device's model. */
  readonly durations: readonly number[] | null;
  /** Of a run that meets faults: who is with the others, and what each node has done. */
  readonly faults?: FaultsSnapshot | null;
}

export interface FaultsSnapshot {
  readonly membership: MembershipSnapshot;
  /** Left out by older versions. */
  readonly notices?: NoticesSnapshot;
  readonly recorder: RecorderState;
  /** Steps that each node has done. */
  readonly steps: readonly number[];
}

/** A snapshot that does not change when the run goes on. */
export function copySnapshot({ nodes, ...rest }: RunSnapshot): RunSnapshot {
  return { ...rest, nodes: nodes.map(copyNode) };
}

/** A node's snapshot that does not change with the node. */
export function copyNode({ state, tensors }: NodeSnapshot): NodeSnapshot {
  const copies = Object.fromEntries(
    Object.entries(tensors()).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]),
  );
  return { state, tensors: () => copies };
}

/** The parts of a node that a snapshot is made of, and restored into. */
export interface NodeParts {
  readonly replica: Replica;
  readonly layout: VectorLayout;
  readonly bufferLayout: VectorLayout;
  readonly strategyState: StrategyState;
  /** What recording remembers of the node. */
  readonly recordMemory: Readonly<Record<string, Float32Array>>;
}

export interface NodeProgress {
  readonly time: Seconds;
  readonly computeSeconds: number;
  readonly sampler: SamplerPosition;
  /** The node's reports of steps that others have not done. */
  readonly ahead: readonly StepReport[];
  /** In a run that meets faults. */
  readonly begun?: RoundBegun | undefined;
  /** What the node had when it began its round, if that is kept and no longer what it has. */
  readonly kept?: KeptMemory | undefined;
}

export function snapshotNode(
  parts: NodeParts,
  { ahead, begun, kept, ...progress }: NodeProgress,
): NodeSnapshot {
  const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
  const steps = ahead.map(({ loss, gradientNorm, ...report }) => ({
    ...report,
    loss: orNull(loss),
    ...(gradientNorm === undefined ? {} : { gradientNorm: orNull(gradientNorm) }),
  }));
  return {
    state: {
      ...progress,
      strategy: { ...parts.strategyState.values },
      ...(begun === undefined
        ? {}
        : { begun: { ...begun, ...(kept === undefined ? {} : { strategy: { ...kept.values } }) } }),
      ...(steps.length === 0 ? {} : { ahead: steps }),
    },
    tensors: () =>
      Object.fromEntries(
        [...vectorsOf(parts), ...flat("begun", kept?.vectors ?? {})].map(({ name, shape, data }) => [
          name,
          { shape, data },
        ]),
      ),
  };
}

/** What a node had when it began its round, if that is kept and no longer what it has. */
export function keptOf({ state: { begun }, tensors }: NodeSnapshot): KeptMemory | undefined {
  if (begun?.strategy === undefined) return undefined;
  const vectors = Object.entries(tensors()).flatMap(([name, { data }]) =>
    name.startsWith("begun.") ? [[name.slice("begun.".length), data as Float32Array] as const] : [],
  );
  return { vectors: Object.fromEntries(vectors), values: begun.strategy };
}

/** A node's reports of the steps that it has done beyond those that all have done. */
export const aheadOf = ({ state }: NodeSnapshot): readonly StepReport[] =>
  (state.ahead ?? []).map(({ loss, gradientNorm, ...report }) => ({
    ...report,
    loss: loss ?? Number.NaN,
    ...(gradientNorm === undefined ? {} : { gradientNorm: gradientNorm ?? Number.NaN }),
  }));

/** Where a node goes on: nodes of an asynchronous run are ahead of the step that all have done. */
export const resumedNode = ({ step, nodes, faults }: RunSnapshot, rank: Rank): ResumedNode => ({
  step: faults?.steps[rank] ?? step + aheadOf(nodes[rank]!).length,
  computeSeconds: nodes[rank]!.state.computeSeconds,
  begun: nodes[rank]!.state.begun,
});

/**
 * Writes a snapshot's vectors and numbers into a node that was made anew for the same run.
 * @throws ConfigError if the snapshot is of a run with other vectors.
 */
export function restoreNode(parts: NodeParts, snapshot: NodeSnapshot): void {
  const saved = snapshot.tensors();
  for (const { name, shape, data } of vectorsOf(parts)) {
    const tensor = saved[name];
    if (tensor?.data.length !== data.length)
      throw new ConfigError(
        `The snapshot to resume from: expected a tensor "${name}" of shape [${shape}], got ${tensor === undefined ? "none" : `[${tensor.shape}]`}. Resume a run with the model, strategy and optimizer it was started with.`,
      );
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
function* vectorsOf({
  replica,
  layout,
  bufferLayout,
  strategyState,
  recordMemory,
}: NodeParts): Generator<NamedVector> {
  const { parameters, buffers, slots } = replica;
  yield* shaped("parameters", parameters, layout);
  yield* shaped("buffers", buffers, bufferLayout);
  yield* flat("optimizer", slots);
  yield* flat("strategy", strategyState.tensors);
  yield* flat("record", recordMemory);
}

function* shaped(prefix: string, vector: Float32Array, { entries }: VectorLayout): Generator<NamedVector> {
  for (const { path, shape, offset, size } of entries)
    yield { name: `${prefix}.${path}`, shape, data: vector.subarray(offset, offset + size) };
}

function* flat(prefix: string, vectors: Readonly<Record<string, Float32Array>>): Generator<NamedVector> {
  for (const [name, data] of Object.entries(vectors))
    yield { name: `${prefix}.${name}`, shape: [data.length], data };
}
