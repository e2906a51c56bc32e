// What a rank needs to talk to the others. The same interface is served by the simulator and by real transports.

import type { Rank } from "@atoll/core";
import type { Codec } from "./codec.ts";
import type { ReduceOp } from "./collective.ts";
import type { AllReduceChoice } from "./schedules/allReduce.ts";

export interface ReduceOptions {
  /** Default "sum". */
  readonly op?: ReduceOp;
  readonly signal?: AbortSignal;
}

export interface AllReduceOptions extends ReduceOptions {
  /**
   * How the vector is exchanged. Default: as the world says, which is "topology" unless it was told otherwise: through the
   * hub of a star, around a ring elsewhere. "auto" takes the algorithm that is estimated to be the fastest for this size on this topology. One that cannot serve the group (halving-doubling
   * where the members are no power of two) is replaced by a ring; the event's `algorithm` says so.
   */
  readonly algorithm?: AllReduceChoice;
  /**
   * Sends encoded shards instead of floats: each member encodes one shard for every member, the shard's owner decodes and
   * adds them in float32 and sends the encoded result to all. Goes without `algorithm`.
   */
  readonly codec?: Codec;
}

export interface ReducedOptions extends AllReduceOptions {
  /** `x` may be changed: its elements are not needed afterwards. Saves a transport a copy. Default false. */
  readonly lent?: boolean;
}

export interface GatherOptions {
  /**
   * All members leave their vectors as they are until each has done with the parts what it wants to, so that these may be the
   * vectors themselves instead of copies. Default false.
   */
  readonly lent?: boolean;
}

/** A message as its receiver gets it. */
export interface Message {
  /** The member that sent it. */
  readonly source: Rank;
  readonly tag: number;
  /** The receiver's own, to change and to send on. */
  readonly vector: Float32Array;
}

export interface SendOptions {
  /** The sender does not touch the vector again: it is not copied. Default false. */
  readonly given?: boolean;
}

/** Something that has been started and goes on while its member computes. */
export interface Handle<T> {
  /** Names the handle among those of its rank, for `Communicator.started`. A whole number, from 1. */
  readonly id: number;
  /** Returns once it has ended: no earlier than its bytes have moved. May be called once. */
  wait(): Promise<T>;
}

/**
 * The calls of a Communicator in a form that does not wait, so that communication overlaps with computing. A collective is
 * timed from the moments at which its members started it; of its duration only what is left at `wait()` counts as
 * communication or waiting. The collectives of one rank move their bytes one after another. Bytes count once `wait()` has ended. Vectors must not be touched in between.
 * A message that is sent is copied (unless it is given), counts at once and need not be waited for.
 */
export interface StartedCalls {
  allReduce(x: Float32Array, options?: AllReduceOptions): Handle<void>;
  allReduced(x: Float32Array, options?: ReducedOptions): Handle<Float32Array>;
  reduceScatter(x: Float32Array, options?: ReduceOptions): Handle<Float32Array>;
  broadcast(x: Float32Array, root?: number): Handle<void>;
  allGather(x: Float32Array, options?: GatherOptions): Handle<readonly Float32Array[]>;
  allToAll(parts: readonly Float32Array[]): Handle<readonly Float32Array[]>;
  gather(x: Float32Array, root?: number): Handle<readonly Float32Array[]>;
  barrier(): Handle<void>;
  send(x: Float32Array, to: Rank, tag?: number, options?: SendOptions): Handle<void>;
  recv(from: Rank | "any", tag?: number): Handle<Message>;
}

/**
 * One rank's end of a group. All members make the same calls in the same order; a vector must not be touched between a
 * call and the end of its promise.
 * @throws RunError (every method's promise) if members' calls differ in operation, length, root, algorithm or codec;
 *   PeerLostError if a member is lost while the call goes on. What was started by `start` and overlaps with computing is
 *   brought to its end by the members that are left.
 */
export interface Communicator {
  /** This member's number within the group. */
  readonly rank: Rank;
  readonly worldSize: number;
  /** The same calls, started and waited for later. */
  readonly start: StartedCalls;
  /** Replaces `x` by the sum or mean over all members, [length] the same on each; all end with the same bits. */
  allReduce(x: Float32Array, options?: AllReduceOptions): Promise<void>;
  /**
   * The same, but `x` is not changed unless it is lent. Members share the result: only read it, and only until this member's
   * next call. [length]
   */
  allReduced(x: Float32Array, options?: ReducedOptions): Promise<Float32Array>;
  /**
   * This member's shard of the sum or mean over all members of `x`, [length] the same on each; `x` is not changed.
   * Shard m is the elements from ⌊m · length / N⌋ up to ⌊(m + 1) · length / N⌋.
   */
  reduceScatter(x: Float32Array, options?: ReduceOptions): Promise<Float32Array>;
  /** Replaces `x` by the root's, [length] the same on each. @param root a member's number, default 0 */
  broadcast(x: Float32Array, root?: number): Promise<void>;
  /** Every member's vector as it was when called, by member; lengths may differ. Members share the arrays: only read them. */
  allGather(x: Float32Array, options?: GatherOptions): Promise<readonly Float32Array[]>;
  /** Sends `parts[m]` to member m; gives what the members sent here, by member. Lengths may differ from pair to pair. */
  allToAll(parts: readonly Float32Array[]): Promise<readonly Float32Array[]>;
  /** Every member's vector, by member, on the root; nothing on the others. Lengths may differ. @param root default 0 */
  gather(x: Float32Array, root?: number): Promise<readonly Float32Array[]>;
  /** Returns once every member has called it. */
  barrier(): Promise<void>;
  /**
   * Sends `x` to one member, whether or not it receives already; ends when the message has arrived. Messages of one rank
   * leave it one after another. @param tag a whole number, default 0
   */
  send(x: Float32Array, to: Rank, tag?: number, options?: SendOptions): Promise<void>;
  /** The next message of a member with that tag, in the order sent; from "any" the one that arrives first. */
  recv(from: Rank | "any", tag?: number): Promise<Message>;
  /**
   * The messages with that tag that have arrived by now and were not received, in order of arrival; those of one moment
   * in order of their senders. They are received by this. It takes no time: for members that do not wait for each other.
   */
  arrived(tag?: number): Promise<readonly Message[]>;
  /**
   * The handle of a collective by its id, after the world was restored from a snapshot that was taken between `start` and `wait()`: the
   * result is in the vector that was given to `start`, which is the caller's to save.
   * @throws RunError if there is none of that id
   */
  started(id: number): Handle<void>;
  /**
   * The communicator of some of the members, this one among them. All of them give the same list, in the same order.
   * @param members their numbers in this communicator
   */
  group(members: readonly Rank[]): Communicator;
  /** Payload bytes that this rank has sent so far, in all groups; what a lossy network sends again is not counted. */
  readonly bytesSent: number;
}
