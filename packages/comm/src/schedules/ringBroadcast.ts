// Ring broadcast: a pipeline from the root around the ring, N chunks long, so that all links work at once.
// Source: Sanders, Speck, Träff, "Two-tree algorithms for full bandwidth broadcast, reduction and scan" (2009), 2.1.
// Cost: the last of N chunks reaches the last member after 2N − 2 rounds, (2N−2)(α + nβ/N).

import { createSchedule, evenChunks, type Members, type Round, type Schedule } from "../schedule.ts";

export interface RingBroadcastOptions extends Members {
  readonly length: number;
  /** Member that holds the vector. */
  readonly root: number;
}

export function ringBroadcast({ ranks, length, root }: RingBroadcastOptions): Schedule {
  return createSchedule({
    algorithm: "ring",
    ranks,
    chunkStarts: evenChunks(length, ranks.length),
    initially: "whole",
    rounds: () => pipeline(ranks.length, root),
  });
}

/** In round k the member `hop` places behind the root passes chunk k − hop on, if there is such a chunk. */
function* pipeline(size: number, root: number): Generator<Round> {
  for (let k = 0; k < 2 * size - 2; k++) {
    const firstHop = Math.max(0, k - size + 1);
    const count = Math.min(k, size - 2) - firstHop + 1;
    const sources = new Int32Array(count);
    const targets = new Int32Array(count);
    const chunks = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const hop = firstHop + i;
      sources[i] = (root + hop) % size;
      targets[i] = (root + hop + 1) % size;
      chunks[i] = k - hop;
    }
    yield { action: "copy", sources, targets, chunks };
  }
}
