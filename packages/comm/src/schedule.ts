// A collective as data: which chunk goes from whom to whom in which round, and whether it is added or copied there.
// The network times a schedule (its transfers are the network's own type), `interpret.ts` computes what it leaves behind,
// and a transport over sockets would execute it; none of them knows an algorithm by name.

import type { Rank } from "@atoll/core";
import type { Topology, TransferRound, TransferSchedule } from "@atoll/network";

/** What the target does with the chunk: add it to its own, or replace its own by it. */
export type Action = "reduce" | "copy";

/** All transfers of a round read what their sources held when the round began; targets act in the order of the list. */
export interface Round extends TransferRound {
  readonly action: Action;
}

export interface Schedule extends TransferSchedule {
  /** Name of the algorithm, for reports. */
  readonly algorithm: string;
  /** Chunk c is the elements chunkStarts[c] … chunkStarts[c + 1] − 1; one entry more than there are chunks. */
  readonly chunkStarts: Int32Array;
  /** What members hold at first: a whole vector each, or only the chunk that has the member's number. */
  readonly initially: "whole" | "ownChunk";
  readonly rounds: () => Iterable<Round>;
}

/** Who takes part, and the network's shape that an algorithm may fit itself to. */
export interface Members {
  /** World rank of each member. */
  readonly ranks: readonly Rank[];
  readonly topology: Topology;
}

const BYTES_PER_ELEMENT = Float32Array.BYTES_PER_ELEMENT;

/** A schedule from its chunk table and rounds; fills in the sizes. */
export function createSchedule(parts: Omit<Schedule, "chunkBytes">): Schedule {
  const { chunkStarts } = parts;
  const chunkBytes = Float64Array.from(
    { length: chunkStarts.length - 1 },
    (_, chunk) => (chunkStarts[chunk + 1]! - chunkStarts[chunk]!) * BYTES_PER_ELEMENT,
  );
  return { ...parts, chunkBytes };
}

/** Cuts `length` elements into `count` chunks whose lengths differ by one at most; some are empty if there are too few. */
export const evenChunks = (length: number, count: number): Int32Array =>
  Int32Array.from({ length: count + 1 }, (_, chunk) => Math.floor((chunk * length) / count));

/** One round, written as triples [source, target, chunk]. */
export function roundOf(action: Action, transfers: readonly (readonly [number, number, number])[]): Round {
  return {
    action,
    sources: Int32Array.from(transfers, ([source]) => source),
    targets: Int32Array.from(transfers, ([, target]) => target),
    chunks: Int32Array.from(transfers, ([, , chunk]) => chunk),
  };
}
