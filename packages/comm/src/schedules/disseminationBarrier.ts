// Dissemination barrier: in round k every member signals the one 2ᵏ places on; after ⌈log₂N⌉ rounds all know of all.
// Source: Hensgen, Finkel, Manber, "Two algorithms for barrier synchronization" (1988). Cost: ⌈log₂N⌉α; signals are empty.

import { createSchedule, type Members, type Round, type Schedule } from "../schedule.ts";

export function disseminationBarrier({ ranks }: Members): Schedule {
  const size = ranks.length;
  const sources = Int32Array.from({ length: size }, (_, member) => member);
  return createSchedule({
    algorithm: "dissemination",
    ranks,
    chunkStarts: Int32Array.of(0, 0),
    initially: "whole",
    *rounds(): Generator<Round> {
      for (let distance = 1; distance < size; distance *= 2) {
        const targets = Int32Array.from(sources, (member) => (member + distance) % size);
        yield { action: "copy", sources, targets, chunks: new Int32Array(size) };
      }
    },
  });
}
