// Star all-reduce: the hub takes every member's vector, adds them in the members' order, and sends the sum to all.
// This is the parameter server (Li et al., "Scaling distributed machine learning with the parameter server", OSDI 2014)
// without sharding. Cost: the hub's NIC moves (N−1)n bytes each way, so 2α + 2(N−1)nβ.

import { createSchedule, type Members, type Round, roundOf, type Schedule } from "../schedule.ts";
import { spokes, starCentre } from "./starCentre.ts";

export function starAllReduce(options: Members & { readonly length: number }): Schedule {
  const { ranks, length } = options;
  const hub = starCentre(options, 0);
  const others = spokes(ranks.length, hub);
  return createSchedule({
    algorithm: "star",
    ranks,
    chunkStarts: Int32Array.of(0, length),
    initially: "whole",
    *rounds(): Generator<Round> {
      yield roundOf(
        "reduce",
        others.map((member) => [member, hub, 0]),
      );
      yield roundOf(
        "copy",
        others.map((member) => [hub, member, 0]),
      );
    },
  });
}
