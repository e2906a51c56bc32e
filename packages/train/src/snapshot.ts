// A run at a moment when no node is in the middle of anything: all that is needed to go on from there.
// Random numbers need no state of their own: every draw is named by (seed, rank, step) or counted by the network.

import type { ConfigValue, Seconds } from "@atoll/core";
import type { TrainNode } from "./trainNode.ts";
import type { SamplerPosition } from "./data/index.ts";

export interface NodeSnapshot {
  /** parameters, buffers, optimizer.<slot>, strategy.<name>; views of the live vectors: write them out before going on. */
  readonly tensors: Readonly<Record<string, Float32Array>>;
  readonly state: {
    /** The node's own clock. */
    readonly time: number;
    readonly computeSeconds: number;
    readonly sampler: SamplerPosition;
    readonly strategy: Readonly<Record<string, number>>;
  };
}

export interface RunSnapshot {
  readonly step: number;
  readonly nodes: readonly NodeSnapshot[];
  /** Counters of the simulated world: draws per link, bytes sent, time split. */
  readonly world: ConfigValue;
}

export function snapshotNode(node: TrainNode, time: Seconds): NodeSnapshot {
  const { parameters, buffers, slots } = node.replica;
  const { tensors, values } = node.strategyState;
  return {
    tensors: {
      parameters,
      ...(buffers.length > 0 ? { buffers } : {}),
      ...prefixed("optimizer", slots),
      ...prefixed("strategy", tensors),
    },
    state: {
      time,
      computeSeconds: node.computeSeconds,
      sampler: node.sampler.position,
      strategy: { ...values },
    },
  };
}

/** Writes a snapshot's vectors and numbers into a node that was made anew for the same run. */
export function restoreNode(node: TrainNode, { tensors, state }: NodeSnapshot): void {
  const { parameters, buffers, slots } = node.replica;
  parameters.set(tensors.parameters!);
  if (buffers.length > 0) buffers.set(tensors.buffers!);
  for (const [name, slot] of Object.entries(slots)) slot.set(tensors[`optimizer.${name}`]!);
  for (const [name, vector] of Object.entries(node.strategyState.tensors)) vector.set(tensors[`strategy.${name}`]!);
  Object.assign(node.strategyState.values, state.strategy);
}

const prefixed = (prefix: string, vectors: Readonly<Record<string, Float32Array>>): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(vectors).map(([name, vector]) => [`${prefix}.${name}`, vector]));
