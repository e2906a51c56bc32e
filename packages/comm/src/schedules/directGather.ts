// Direct gather: every member sends its part to the root at once, where the messages share the root's NIC.
// Cost for n bytes in all: α + nβ(N−1)/N. A tree would save nothing, since the root has to receive all of it anyway.

import { chunksOf, createSchedule, type Members, roundOf, type Schedule } from "../schedule.ts";
import { spokes } from "./starCentre.ts";

export interface DirectGatherOptions extends Members {
  /** Each member's part, in elements. */
  readonly lengths: readonly number[];
  /** Member that gets the parts. */
  readonly root: number;
}

export function directGather({ ranks, lengths, root }: DirectGatherOptions): Schedule {
  return createSchedule({
    algorithm: "direct",
    ranks,
    chunkStarts: chunksOf(lengths),
    initially: "ownChunk",
    rounds: () => [
      roundOf(
        "copy",
        spokes(ranks.length, root).map((member) => [member, root, member]),
      ),
    ],
  });
}
