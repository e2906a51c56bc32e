// What becomes of a node in a run where nodes may be missing: how it exchanges with those that are there, and how it comes
// back. On simulated machines faults are known beforehand (faultyNode.ts); of processes they are noticed (node/processes).

import type { Communicator } from "@atoll/comm";
import type { Seconds } from "@atoll/core";

/** What the life of a node is made of. */
export interface Rounds {
  /** Goes on to the end of the segment. */
  run(): Promise<void>;
  /** The node remembers what another did after so many steps. */
  goOnFrom(step: number): void;
}

export interface NodeLife {
  /** Of the nodes that take part in the present exchange. */
  readonly communicator: Communicator;
  /** Takes the node through a segment: to its end, or as far as faults let it come. */
  live(rounds: Rounds): Promise<void>;
  /**
   * The node is between two steps.
   * @param beginsRound whether it has exchanged since the last one, or been given a state: not where a run merely stops to be
   *   evaluated or saved
   */
  boundary(step: number, beginsRound: boolean): void;
  /** How long steps take that begin now, one after the other. @param undisturbed seconds of each step if nothing happens */
  durations(undisturbed: readonly Seconds[]): Promise<readonly Seconds[]>;
  /** Exchanges with the nodes that are there; if some are lost meanwhile, begins again with those that are left. */
  exchange<T>(step: number, run: () => Promise<T>): Promise<T>;
}
