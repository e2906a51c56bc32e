// What the network has to know of a collective to time it: rounds of point-to-point transfers. What the transfers mean
// (reduce, copy) is the communication layer's business, whose schedules are these and more.

import type { Rank } from "@atoll/core";

/**
 * Transfer i of a round moves chunk `chunks[i]`, or the `chunkCounts[i]` chunks from it on as one message, from member
 * `sources[i]` to member `targets[i]`.
 */
export interface TransferRound {
  readonly sources: Int32Array;
  readonly targets: Int32Array;
  readonly chunks: Int32Array;
  /** One chunk each if left out. */
  readonly chunkCounts?: Int32Array;
}

/**
 * Rounds of transfers among members, which are numbered by their place in `ranks`. A member starts a round when its own
 * transfers of the earlier rounds, in and out, have ended; there is no barrier between rounds.
 */
export interface TransferSchedule {
  /** World rank of each member. */
  readonly ranks: readonly Rank[];
  /** Size of each chunk, in bytes. */
  readonly chunkBytes: Float64Array;
  /** The rounds in order, made as they are asked for; each is valid until the next one is asked for. */
  readonly rounds: () => Iterable<TransferRound>;
}

/** Bytes of transfer `i` of a round. */
export function transferBytes(
  chunkBytes: Float64Array,
  { chunks, chunkCounts }: TransferRound,
  i: number,
): number {
  const first = chunks[i]!;
  if (chunkCounts === undefined) return chunkBytes[first]!;
  let sum = 0;
  for (let chunk = first; chunk < first + chunkCounts[i]!; chunk++) sum += chunkBytes[chunk]!;
  return sum;
}
