// How a node learns that it cannot go on with what it does. None of these is an error of the run: whoever drives the node
// catches them and takes the node through its recovery.

import { formatSeconds, type Rank } from "@atoll/core";
import type { Downtime } from "@atoll/network";

/** The node has crashed: what it was doing and what it remembers is lost. */
export class NodeCrashed extends Error {
  readonly downtime: Downtime;

  constructor(rank: Rank, downtime: Downtime) {
    super(`Node ${rank} crashed at ${formatSeconds(downtime.from)}.`);
    this.downtime = downtime;
  }
}

/** The others went on without the node. */
export class LeftBehind extends Error {
  constructor(rank: Rank) {
    super(`The other nodes went on without node ${rank}.`);
  }
}

/** All nodes go back to the last checkpoint, and go on from there at a moment. */
export class RollBack extends Error {
  /** Simulated seconds. */
  readonly at: number;

  constructor(at: number, reason: string) {
    super(reason);
    this.at = at;
  }
}
