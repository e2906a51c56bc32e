// Halving-doubling all-reduce: a reduce-scatter by recursive halving and an all-gather by recursive doubling. As few bytes
// as a ring in far fewer rounds.
// Source: Rabenseifner, "Optimization of collective reduction operations" (ICCS 2004); Thakur, Rabenseifner, Gropp (2005), 4.5.
// Cost: 2log₂N · α + 2(N−1)/N · nβ. N has to be a power of two.

import { createSchedule, evenChunks, type Members, type Round, roundOf, type Schedule } from "../schedule.ts";

export function halvingDoublingAllReduce({ ranks, length }: Members & { readonly length: number }): Schedule {
  const size = ranks.length;
  const distances = Array.from({ length: Math.log2(size) }, (_, k) => size >> (k + 1));
  return createSchedule({
    algorithm: "halving-doubling",
    ranks,
    chunkStarts: evenChunks(length, size),
    initially: "whole",
    *rounds(): Generator<Round> {
      // Partners hold the same 2 · distance chunks; each gives away the half in which the other's own chunk is.
      for (const distance of distances)
        yield roundOf(
          "reduce",
          ranks.map((_, member) => [member, member ^ distance, block(member ^ distance, distance), distance]),
        );
      for (const distance of distances.toReversed())
        yield roundOf(
          "copy",
          ranks.map((_, member) => [member, member ^ distance, block(member, distance), distance]),
        );
    },
  });
}

/** The first of the `count` aligned chunks that a member's own chunk is among; `count` is a power of two. */
const block = (member: number, count: number): number => member & ~(count - 1);
