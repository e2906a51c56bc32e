// Recursive doubling all-reduce: in round k every member exchanges its whole sum with the one at distance 2ᵏ, so that both
// have the sum of twice as many. Few rounds, but every one moves the whole vector: for short vectors.
// Source: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH" (2005), 4.5.
// Cost: log₂N(α + nβ). N has to be a power of two. Both partners add the same two sums, in either order with the same bits.

import { createSchedule, type Members, type Round, roundOf, type Schedule } from "../schedule.ts";

export function recursiveDoublingAllReduce({
  ranks,
  length,
}: Members & { readonly length: number }): Schedule {
  const size = ranks.length;
  return createSchedule({
    algorithm: "recursive-doubling",
    ranks,
    chunkStarts: Int32Array.of(0, length),
    initially: "whole",
    *rounds(): Generator<Round> {
      for (let distance = 1; distance < size; distance *= 2)
        yield roundOf(
          "reduce",
          ranks.map((_, member) => [member, member ^ distance, 0]),
        );
    },
  });
}
