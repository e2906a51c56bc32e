// Binomial tree broadcast: in each round every member that has the vector sends it to one that has not.
// Source: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH" (2005), 4.2.
// Cost: ⌈log₂N⌉(α + nβ).

import { createSchedule, type Members, type Round, roundOf, type Schedule } from "../schedule.ts";

export interface TreeBroadcastOptions extends Members {
  readonly length: number;
  /** Member that holds the vector. */
  readonly root: number;
}

export function treeBroadcast({ ranks, length, root }: TreeBroadcastOptions): Schedule {
  const size = ranks.length;
  return createSchedule({
    algorithm: "tree",
    ranks,
    chunkStarts: Int32Array.of(0, length),
    initially: "whole",
    *rounds(): Generator<Round> {
      for (let have = 1; have < size; have *= 2) {
        const receivers = Math.min(have, size - have);
        yield roundOf(
          "copy",
          Array.from({ length: receivers }, (_, i) => [(root + i) % size, (root + have + i) % size, 0]),
        );
      }
    },
  });
}
