// The nodes of one run as the trainer sees them: advanced together from cut to cut, and looked at in between. Simulated
// machines in this process are one implementation (simulation.ts), processes that are commanded from rank 0 the other
// (node/processes). What is done at a cut, and when, is the trainer's business (fitRun.ts).

import type { ConfigTree, NodeTime, Seconds, TopologyDrawn } from "@atoll/core";
import type { RunEvaluation, Weights } from "./evaluation.ts";
import type { RunSnapshot } from "./snapshot.ts";

export interface RunNodes {
  readonly maxSteps: number;
  readonly parameterCount: number;
  /** Steps that all nodes have done. */
  readonly step: number;
  /** When the last node that is with the others got there, in seconds of the run. */
  readonly time: Seconds;
  /** By rank, as of the last cut. */
  readonly nodeTimes: readonly NodeTime[];
  /** Bytes that each node has sent, by rank, as of the last cut. */
  readonly bytesSent: readonly number[];
  /** What the options for which it depends on the kind of nodes came to: network, compute, faults … */
  readonly config: ConfigTree;
  /** What all nodes go back to when one is lost, if that is how this run recovers. */
  readonly goingBackTo: RunSnapshot | undefined;

  describeTopology(): TopologyDrawn;
  /**
   * Runs all nodes to `step`, or, once `signal` is aborted, to the nearest step at which all of them can stop. Under an
   * asynchronous strategy nodes that are ahead stop when the last one has come there, at steps of their own.
   */
  advance(step: number, signal: AbortSignal | undefined): Promise<void>;
  evaluate(indices: Uint32Array): Promise<RunEvaluation>;
  /** Emits the correlation of the nodes' parameters; left out where nodes record nothing beside losses. */
  recordCorrelation?(): Promise<void>;
  /** The mean of the models of those nodes that are with the others. */
  average(): Promise<Weights>;
  /** To be saved before the nodes go on: its vectors may be theirs. */
  snapshot(): Promise<RunSnapshot>;
  /** Nodes may have to go back to the present step later on. */
  keepCheckpoint(): Promise<void>;
}
