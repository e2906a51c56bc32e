// A collective as data: which chunks go from whom to whom in which round, and whether they are added or copied there.
// The network times a schedule (its transfers are the network's own type), `interpret.ts` computes what it leaves behind,
// and a transport over sockets would execute it; none of them knows an algorithm by name.

import type { Rank, Seconds } from "@atoll/core";
import type { Topology, TransferRound, TransferSchedule } from "@atoll/network";

/** What the target does with the chunks: add them to its own, or replace its own by them. */
export type Action = "reduce" | "copy";

/** All transfers of a round read what their sources held when the round began; targets act in the order of the list. */
export interface Round extends TransferRound {
  readonly action: Action;
}

export interface Schedule extends TransferSchedule {
  /** Name of the algorithm, for reports. */
  readonly algorithm: string;
  /** Why another algorithm than the one asked for carries out the call; a sentence. */
  readonly fallback?: string | undefined;
  /** Chunk c is the elements chunkStarts[c] … chunkStarts[c + 1] − 1; one entry more than there are chunks. */
  readonly chunkStarts: Int32Array;
  /**
   * What members hold at first: a whole vector each, only the chunk that has the member's number, or (of N² chunks) the N
   * from the member's number times N on.
   */
  readonly initially: "whole" | "ownChunk" | "ownRow";
  /** What a member is to hold in the end: everything, or the chunk that has its number. Default "whole". */
  readonly finally?: "whole" | "ownChunk" | undefined;
  readonly rounds: () => Iterable<Round>;
}

/** Who takes part, and the network's shape that an algorithm may fit itself to. */
export interface Members {
  /** World rank of each member. */
  readonly ranks: readonly Rank[];
  readonly topology: Topology;
  /** How long a schedule takes, roughly: what "auto" decides by. Without it "auto" is the topology's default. */
  readonly tryOut?: ((schedule: TransferSchedule) => Seconds) | undefined;
}

const BYTES_PER_ELEMENT = Float32Array.BYTES_PER_ELEMENT;

const floatBytes = (length: number): number => length * BYTES_PER_ELEMENT;

/** A schedule from its chunk table and rounds; fills in the sizes. @param bytes of so many elements on the wire */
export function createSchedule(
  parts: Omit<Schedule, "chunkBytes">,
  bytes: (length: number) => number = floatBytes,
): Schedule {
  const { chunkStarts } = parts;
  const chunkBytes = Float64Array.from({ length: chunkStarts.length - 1 }, (_, chunk) =>
    bytes(chunkStarts[chunk + 1]! - chunkStarts[chunk]!),
  );
  return { ...parts, chunkBytes };
}

/** Cuts `length` elements into `count` chunks whose lengths differ by one at most; some are empty if there are too few. */
export const evenChunks = (length: number, count: number): Int32Array =>
  Int32Array.from({ length: count + 1 }, (_, chunk) => Math.floor((chunk * length) / count));

/** Chunks of given lengths, one after another. */
export function chunksOf(lengths: readonly number[]): Int32Array {
  const starts = new Int32Array(lengths.length + 1);
  lengths.forEach((length, chunk) => {
    starts[chunk + 1] = starts[chunk]! + length;
  });
  return starts;
}

/** One round, written as tuples [source, target, first chunk, number of chunks = 1]. */
export function roundOf(
  action: Action,
  transfers: readonly (readonly [number, number, number, number?])[],
): Round {
  const count = transfers.length;
  const round = {
    action,
    sources: new Int32Array(count),
    targets: new Int32Array(count),
    chunks: new Int32Array(count),
  };
  const chunkCounts = new Int32Array(count);
  let hasRanges = false;
  for (let i = 0; i < count; i++) {
    const [source, target, chunk, length = 1] = transfers[i]!;
    round.sources[i] = source;
    round.targets[i] = target;
    round.chunks[i] = chunk;
    chunkCounts[i] = length;
    hasRanges ||= length !== 1;
  }
  return hasRanges ? { ...round, chunkCounts } : round;
}

/** Bytes that each member sends. */
export function bytesSentBy({ ranks, chunkBytes, rounds }: Schedule): Float64Array {
  const sent = new Float64Array(ranks.length);
  for (const { sources, chunks, chunkCounts } of rounds())
    for (let i = 0; i < sources.length; i++) {
      const end = chunks[i]! + (chunkCounts?.[i] ?? 1);
      for (let chunk = chunks[i]!; chunk < end; chunk++) sent[sources[i]!]! += chunkBytes[chunk]!;
    }
  return sent;
}
