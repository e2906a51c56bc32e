// What can break a call off while its bytes move: a member that crashes, a network that falls apart. Both are known
// beforehand as functions of simulated time, so a call that would not live to its end is found when it is timed.

import { type Rank, RunError, type Seconds } from "@atoll/core";

/** A call as it would go if nothing happened; arrays are by member. */
export interface Undertaking {
  readonly ranks: readonly Rank[];
  readonly ready: readonly Seconds[];
  /** When each member would be done; Infinity if its bytes cannot get through any more. */
  readonly end: readonly Seconds[];
}

export interface Disruption {
  /** When the other members learn of it. */
  readonly at: Seconds;
  /** The ranks that are lost to the others. */
  readonly lost: readonly Rank[];
  /** Why they are lost, where that is known: the end of a sentence. */
  readonly cause?: string | undefined;
}

export interface Disruptions {
  /** When each member is lost next, by member; Infinity if it never is. One that is done by then breaks nothing off. */
  losses(ranks: readonly Rank[], ready: readonly Seconds[]): readonly number[];
  /** The first thing that breaks a call off before all its members are done, if anything does. */
  find(undertaking: Undertaking): Disruption | undefined;
}

/**
 * A call broke off because members were lost. In the simulated world none of its results has been written; over sockets a
 * vector that was to be replaced holds anything.
 */
export class PeerLostError extends RunError {
  /** All members of the call. */
  readonly ranks: readonly Rank[];
  readonly lost: readonly Rank[];
  readonly at: Seconds;

  constructor(what: string, ranks: readonly Rank[], { lost, at, cause }: Disruption) {
    const why = cause === undefined ? "" : ` (${cause})`;
    super(`${what} broke off at ${at} s: lost rank ${lost.join(", ")}${why}.`);
    this.ranks = ranks;
    this.lost = lost;
    this.at = at;
  }
}
