// Ring reduce-scatter: the first half of a ring all-reduce. Chunk m begins with member m + 1, is added to all around the
// ring, and ends complete with member m.
// Source: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations" (JPDC 2009).
// Cost: (N−1)(α + nβ/N).

import { createSchedule, evenChunks, type Members, type Schedule } from "../schedule.ts";
import { ringRounds } from "./ringRounds.ts";

export function ringReduceScatter({ ranks, length }: Members & { readonly length: number }): Schedule {
  return createSchedule({
    algorithm: "ring",
    ranks,
    chunkStarts: evenChunks(length, ranks.length),
    initially: "whole",
    finally: "ownChunk",
    rounds: () => ringRounds(ranks.length, "reduce", -1),
  });
}
