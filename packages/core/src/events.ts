// The events of a run: what `events.jsonl` holds, one JSON object a line, in the order they happened.
// Everything a person sees of a run (progress, CSV, report, trackers) is a reader of these.
// A resumed run goes on in the same file: what came after the checkpoint is cut off, and a further `runStarted` follows.
// Times named `time`, `start`, `end` … are simulated seconds since the run's start unless the name says otherwise.

import type { ConfigTree } from "./config.ts";

/** Seconds of simulated time that one node spent, by kind; they add up to its clock. */
export interface NodeTime {
  readonly compute: number;
  /** Moving bytes: from the moment all partners were ready. */
  readonly communication: number;
  /** Idle for partners that were not ready yet. */
  readonly waiting: number;
}

export interface RunStarted {
  readonly type: "runStarted";
  readonly name: string;
  readonly strategy: string;
  readonly nodes: number;
  readonly maxSteps: number;
  readonly parameters: number;
  readonly seed: number;
  /** What the options came to: strategy, optimizer, network, compute model, model and data, with every default. */
  readonly config: ConfigTree;
  /** Wall-clock start, ISO 8601. */
  readonly startedAt: string;
  /** The step of the checkpoint that the run goes on from; 0 for a new run. */
  readonly resumedFrom: number;
}

/** The network as drawn from the seed: every link that the topology has (left out above 64 nodes). */
export interface TopologyDrawn {
  readonly type: "topology";
  readonly topology: string;
  readonly profile: string;
  readonly nodes: number;
  readonly links: readonly {
    readonly source: number;
    readonly target: number;
    /** Bytes per second. */
    readonly bandwidth: number;
    /** Seconds, one way. */
    readonly latency: number;
    readonly jitter: number;
    readonly loss: number;
  }[];
}

/** A training step that every node has done. */
export interface StepDone {
  readonly type: "step";
  /** Steps done, from 1. */
  readonly step: number;
  /** Mean training loss over the nodes' batches. */
  readonly loss: number;
  readonly learningRate: number;
  /** Examples that all nodes together have trained on so far. */
  readonly examples: number;
  /** When the slowest node finished the step, its communication included. */
  readonly time: number;
  /** Bytes sent so far, mean over the nodes. */
  readonly bytesSent: number;
}

/** One collective, once all its members are done; arrays are by member. */
export interface CollectiveDone {
  readonly type: "collective";
  readonly operation: string;
  readonly algorithm: string;
  readonly ranks: readonly number[];
  /** When each member called it. */
  readonly ready: readonly number[];
  /** When each member left it. */
  readonly end: readonly number[];
  /** Bytes each member sent. */
  readonly bytes: readonly number[];
  /**
   * Set where members went on computing after they had called it: whether one waited for it later is what `waited` tells.
   * Otherwise each waited from `ready` to `end`. Logs of older versions never have it.
   */
  readonly overlaps?: true;
}

/**
 * A node waited for a message, for a call that it had started before, or for an exchange that broke off or had to begin with
 * other nodes. Other waiting is in the collectives themselves; a node that did not have to wait leaves no event.
 */
export interface NodeWaited {
  readonly type: "waited";
  readonly rank: number;
  readonly from: number;
  /** When all partners were ready, not before `from`: waiting until then, communication afterwards. */
  readonly ready: number;
  readonly end: number;
}

export interface Evaluated {
  readonly type: "evaluation";
  readonly step: number;
  readonly split: "validation" | "test";
  readonly time: number;
  readonly bytesSent: number;
  /** `local`: rank 0's model. `global`: the average of all nodes' models. Accuracy is null for a model that has none. */
  readonly loss: { readonly local: number; readonly global: number };
  readonly accuracy: { readonly local: number; readonly global: number } | null;
}

/** What a run can be asked to record beside its losses (option `record`). */
export const RECORDED_QUANTITIES = [
  "correlation",
  "gradientNorm",
  "outerCosine",
  "compressionError",
] as const;
export type RecordedQuantity = (typeof RECORDED_QUANTITIES)[number];

/** One of these quantities after a step. @atoll/train defines them (record/options.ts). */
export interface Recorded {
  readonly type: "recorded";
  readonly quantity: RecordedQuantity;
  /** Steps done. */
  readonly step: number;
  /** When the slowest node had done the step. */
  readonly time: number;
  /** Nodes that it was taken of. */
  readonly nodes: number;
  /** Over the nodes; of a correlation and a cosine, over all pairs of nodes. */
  readonly mean: number;
  /** The lowest and the highest of the nodes; null for what belongs to pairs, which are not looked at one by one. */
  readonly range: { readonly min: number; readonly max: number } | null;
}

/** Something that goes another way than it was asked for; said once. */
export interface WarningGiven {
  readonly type: "warning";
  /** A sentence. */
  readonly message: string;
}

/** Something that went wrong on the simulated machines, or was put right. */
export interface FaultHappened {
  readonly type: "fault";
  /**
   * `crash`: a node is down. `recovered`: one goes on with another's state. `goneOn`: exchanges go on without these nodes,
   * with all again if there are none. `rolledBack`: all nodes go back to a checkpoint. `straggler`: a node's steps take longer
   * from here on; one that begins no step meanwhile leaves none. `outage`: links of these nodes are down from here on; of a
   * network that falls apart, those outside its largest part. Logs of older versions have neither of the last two.
   */
  readonly kind: "crash" | "recovered" | "goneOn" | "rolledBack" | "straggler" | "outage";
  readonly time: number;
  readonly ranks: readonly number[];
  readonly message: string;
  /**
   * Of a crash: when the node is up again, which is before it has recovered. Of a straggler and an outage: when that is over.
   * Null if never.
   */
  readonly until?: number | null;
  /** Of a roll-back: the step of the checkpoint that the nodes go on from; the steps after it are done again. */
  readonly step?: number;
}

export interface CheckpointSaved {
  readonly type: "checkpoint";
  readonly step: number;
  readonly path: string;
}

export interface RunFinished {
  readonly type: "runFinished";
  readonly outcome: "completed" | "interrupted" | "failed";
  readonly message: string | null;
  readonly steps: number;
  readonly simulatedSeconds: number;
  readonly wallSeconds: number;
  readonly nodes: readonly NodeTime[];
  readonly bytesSent: readonly number[];
}

export type RunEvent =
  | RunStarted
  | TopologyDrawn
  | StepDone
  | CollectiveDone
  | NodeWaited
  | Evaluated
  | Recorded
  | FaultHappened
  | WarningGiven
  | CheckpointSaved
  | RunFinished;

/** Takes events as they happen, without keeping the run waiting. What it throws ends the run. */
export type EventSink = (event: RunEvent) => void;
