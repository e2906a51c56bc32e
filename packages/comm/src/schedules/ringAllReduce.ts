// Ring all-reduce: a reduce-scatter and an all-gather around a ring of members, in the order of their list.
// Source: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations" (JPDC 2009).
// Cost: 2(N−1)α + 2(N−1)/N · nβ. Each chunk is summed in ring order, beginning with the member of the chunk's number.

import { createSchedule, evenChunks, type Members, type Schedule } from "../schedule.ts";
import { ringRounds } from "./ringRounds.ts";

export function ringAllReduce({ ranks, length }: Members & { readonly length: number }): Schedule {
  const size = ranks.length;
  return createSchedule({
    algorithm: "ring",
    ranks,
    chunkStarts: evenChunks(length, size),
    initially: "whole",
    *rounds() {
      yield* ringRounds(size, "reduce", 0);
      yield* ringRounds(size, "copy", 1);
    },
  });
}
