// All-reduce of encoded vectors: every member sends the encoded shard m to member m, which decodes and adds them, encodes
// the sum and sends it around the ring. So values are rounded twice, however many members there are, where a ring that
// encodes at every hop would round N − 1 times.
// Source: Douillard et al., "Streaming DiLoCo with overlapping communication" (arXiv 2501.18512), 2.3, and "MuLoCo"
// (arXiv 2505.23725). Cost: 2(N−1)α + 2(N−1)/N · nβ for n encoded bytes.

import type { Codec } from "../codec.ts";
import { createSchedule, evenChunks, type Members, type Schedule } from "../schedule.ts";
import { exchangeRounds } from "./exchangeRounds.ts";
import { ringRounds } from "./ringRounds.ts";

export interface CodedAllReduceOptions extends Members {
  readonly length: number;
  readonly codec: Codec;
}

export function codedAllReduce({ ranks, length, codec }: CodedAllReduceOptions): Schedule {
  const size = ranks.length;
  return createSchedule(
    {
      algorithm: `all-to-all and ring, ${codec.name}`,
      ranks,
      chunkStarts: evenChunks(length, size),
      initially: "whole",
      *rounds() {
        yield* exchangeRounds(size, "reduce", (_, target) => target);
        yield* ringRounds(size, "copy", 0);
      },
    },
    (elements) => codec.bytes(elements),
  );
}
