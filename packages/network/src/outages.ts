// Which links are down when: what the network has to know of a schedule of faults. Who decides it (a list that a user gives,
// chance) is not known here; the network asks at moments of simulated time and keeps no state of its own about them.

import type { Rank } from "@atoll/core";

/** Outages of links as a function of simulated time: the same question always has the same answer. */
export interface Outages {
  /** Whether the link between two nodes is up at a moment, in seconds. Both directions go down together. */
  isUp(a: Rank, b: Rank, at: number): boolean;
  /** The first moment after `at` at which some link goes down or comes up; Infinity if there is none. */
  nextChange(at: number): number;
}
