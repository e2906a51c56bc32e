// Tree all-reduce: a reduction up a binomial tree to member 0, and a broadcast down the same tree. Serves any N.
// Source: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH" (2005), 4.2 and 4.4.
// Cost: 2⌈log₂N⌉(α + nβ).

import { createSchedule, type Members, type Round, roundOf, type Schedule } from "../schedule.ts";

export function treeAllReduce({ ranks, length }: Members & { readonly length: number }): Schedule {
  const size = ranks.length;
  const distances = Array.from({ length: Math.ceil(Math.log2(size)) }, (_, k) => 2 ** k);
  return createSchedule({
    algorithm: "tree",
    ranks,
    chunkStarts: Int32Array.of(0, length),
    initially: "whole",
    *rounds(): Generator<Round> {
      for (const distance of distances)
        yield roundOf(
          "reduce",
          parents(size, distance).map((parent) => [parent + distance, parent, 0]),
        );
      for (const distance of distances.toReversed())
        yield roundOf(
          "copy",
          parents(size, distance).map((parent) => [parent, parent + distance, 0]),
        );
    },
  });
}

/** Members with a child at that distance, a power of two. */
const parents = (size: number, distance: number): readonly number[] =>
  Array.from({ length: Math.ceil((size - distance) / (2 * distance)) }, (_, i) => 2 * distance * i);
