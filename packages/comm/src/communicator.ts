// What a rank needs to talk to the others. The same interface is served by the simulator and by real transports.

import type { Rank } from "@atoll/core";
import type { ReduceOp } from "./collective.ts";

export interface AllReduceOptions {
  /** Default "sum". */
  readonly op?: ReduceOp;
  readonly signal?: AbortSignal;
}

/**
 * One rank's end of a group. All members make the same calls in the same order; a vector must not be touched between a
 * call and the end of its promise.
 * @throws RunError (every method's promise) if members' calls differ in operation, length or root
 */
export interface Communicator {
  /** This member's number within the group. */
  readonly rank: Rank;
  readonly worldSize: number;
  /** Replaces `x` by the sum or mean over all members, [length] the same on each; all end with the same bits. */
  allReduce(x: Float32Array, options?: AllReduceOptions): Promise<void>;
  /** Replaces `x` by the root's, [length] the same on each. @param root a member's number, default 0 */
  broadcast(x: Float32Array, root?: number): Promise<void>;
  /** Every member's vector as it was when called, by member; lengths may differ. Members share the arrays: only read them. */
  allGather(x: Float32Array): Promise<readonly Float32Array[]>;
  /** Returns once every member has called it. */
  barrier(): Promise<void>;
  /**
   * The communicator of some of the ranks, this one among them. All of them give the same list, in the same order.
   * @param ranks world ranks
   */
  group(ranks: readonly Rank[]): Communicator;
  /** Payload bytes that this rank has sent so far, in all groups; what a lossy network sends again is not counted. */
  readonly bytesSent: number;
}
