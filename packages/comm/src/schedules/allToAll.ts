// All-to-all: every member has a part for every other, of any length, and sends it directly.
// Source: Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH" (2005), 4.3, the
// algorithm for long messages. Cost for parts of m bytes: (N−1)(α + mβ).

import { chunksOf, createSchedule, type Members, type Schedule } from "../schedule.ts";
import { exchangeRounds } from "./exchangeRounds.ts";

/** @param options.lengths elements for each pair, all those of member 0 first, [N · N] */
export function allToAll({ ranks, lengths }: Members & { readonly lengths: readonly number[] }): Schedule {
  const size = ranks.length;
  return createSchedule({
    algorithm: "direct",
    ranks,
    chunkStarts: chunksOf(lengths),
    initially: "ownRow",
    rounds: () => exchangeRounds(size, "copy", (source, target) => source * size + target),
  });
}
