// Ring all-gather: every member's part travels once around the ring. Parts may have different lengths.
// Source: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH" (2005), 4.1.
// Cost for n bytes in all, in equal parts: (N−1)(α + nβ/N).

import { chunksOf, createSchedule, type Members, type Schedule } from "../schedule.ts";
import { ringRounds } from "./ringRounds.ts";

export function ringAllGather({
  ranks,
  lengths,
}: Members & { readonly lengths: readonly number[] }): Schedule {
  return createSchedule({
    algorithm: "ring",
    ranks,
    chunkStarts: chunksOf(lengths),
    initially: "ownChunk",
    rounds: () => ringRounds(ranks.length, "copy", 0),
  });
}
