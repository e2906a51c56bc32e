// What a simulated world takes, and what whoever drives its ranks can ask of it; simulated.ts makes one.

import type { ConfigValue, EventSink, Rank } from "@atoll/core";
import type { Network, VirtualClock } from "@atoll/network";
import type { VectorArithmetic } from "./arithmetic.ts";
import type { Communicator } from "./communicator.ts";
import type { Disruptions } from "./disruptions.ts";
import type { AllReduceChoice } from "./schedules/allReduce.ts";

export interface SimulatedWorldOptions {
  readonly worldSize: number;
  readonly network: Network;
  readonly clock: VirtualClock;
  /** The algorithm of every all-reduce that names none and has no codec. Default "topology". */
  readonly allReduce?: AllReduceChoice | undefined;
  /** Adds up what members bring. Default: plain loops. */
  readonly arithmetic?: VectorArithmetic | undefined;
  /** Gets a CollectiveDone for every collective, and for every message as operation "send". */
  readonly emit?: EventSink | undefined;
  /** Gets a sentence, once, when a call cannot be carried out as asked and is carried out in another way. */
  readonly warn?: ((message: string) => void) | undefined;
  /** What breaks calls off. Default: nothing does. */
  readonly disruptions?: Disruptions | undefined;
}

/** Simulated seconds that a rank spent in communication. */
export interface CommunicationTimes {
  /** Moving bytes: from the moment the last member was ready. */
  readonly communication: number;
  /** Idle for members that were not ready yet. */
  readonly waiting: number;
}

export interface SimulatedWorld {
  communicator(rank: Rank): Communicator;
  /**
   * What a rank calls from now on belongs to the exchange of that number, and goes on among all that ranks call in it. The
   * numbers of a rank ascend. Without one, calls do not slow each other.
   */
  beginExchange(rank: Rank, number: number): void;
  times(rank: Rank): CommunicationTimes;
  /**
   * The counters of ranks and network, messages in flight, and the ends of calls that were started and not waited for, as
   * JSON; only while no collective is under way.
   * @throws RunError if a rank has started to receive, or a call whose result is not in the caller's own vector
   */
  snapshot(): ConfigValue;
  /** Goes on from a snapshot: the same calls then take the same times. @throws RunError if it is of another world */
  restore(snapshot: ConfigValue, options?: RestoreOptions): void;
  /** Forgets what a rank has under way and what was sent to it: it has crashed. */
  drop(rank: Rank): void;
  /**
   * A rank takes over another's state, sent to it in so many bytes: it gets handles of its own of the calls that the
   * other has started.
   */
  adopt(rank: Rank, from: Rank, bytes: number): void;
  /** Whether another rank can take over this one's state: all calls that it has started have come about. */
  isSettled(rank: Rank): boolean;
  /** How many calls a rank has made: names a moment for `withdraw`. */
  callsOf(rank: Rank): number;
  /** Forgets the calls that a rank has made since: what they were for has broken off. */
  withdraw(rank: Rank, since: number): void;
}

export interface RestoreOptions {
  /** Leaves the ranks' counters of bytes and times as they are: what was sent has been sent. Default false. */
  readonly keepCounters?: boolean;
}
